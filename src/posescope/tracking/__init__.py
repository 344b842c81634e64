"""Experiment loggers: the epochs, metrics and files of a run in TensorBoard, MLflow or a tracker of one's own."""
