"""Hyperparameter search: trials with parameters sampled from a declared space, scored on the validation persons."""
