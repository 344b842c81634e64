"""Networks of others, compared with a model on the same persons: formats, crops, predictions."""
