"""Metrics, protocols, error analysis, comparison of runs and the access log of the test set."""
