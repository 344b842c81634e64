"""Plotly figures of data, training, evaluation, explainability, improvement and tuning."""
