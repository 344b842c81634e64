"""Networks of others, held against a model on the same persons: formats, crops, predictions."""
