"""Exporters of trained models: ONNX, INT8 and OpenVINO; every export is verified against PyTorch before it is written."""
