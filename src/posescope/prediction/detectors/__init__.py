"""Person detectors: whole image, boxes from a file, an ONNX network."""
