"""Trained models: the model folder, its description and migration, and the export to ONNX."""
