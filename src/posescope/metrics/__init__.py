"""Figures of merit: one metric a file, pure functions on arrays, and the components that apply them to `ScoredPersons`."""
