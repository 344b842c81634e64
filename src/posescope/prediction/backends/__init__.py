"""Backends that run a trained model: PyTorch, ONNX Runtime and OpenVINO."""
