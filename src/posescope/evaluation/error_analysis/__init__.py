"""Error analysis: error types, their cost, metric values of subgroups, and the reliability of scores."""
