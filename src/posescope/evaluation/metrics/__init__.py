"""Metrics of pose estimation, one per file: pure functions on arrays, and the components that apply them to `ScoredPersons`."""
