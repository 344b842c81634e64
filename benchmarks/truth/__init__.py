"""Parts of the benchmark `explain_truth.py`: planted effects and null data, one module per analysis."""
