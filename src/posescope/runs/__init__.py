"""Finished runs: their records, scores and explainability results."""
