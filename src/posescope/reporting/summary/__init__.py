"""The summary: one page in plain words that links to the chapters of the report."""
