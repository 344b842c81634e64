"""Annotated joints that the network and similar persons contradict, ranked."""
