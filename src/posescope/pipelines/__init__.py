"""Kedro pipelines: thin nodes and their wiring. Pipelines do not import one another."""
