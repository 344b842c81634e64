"""Backends that run a trained model: PyTorch and ONNX Runtime."""
