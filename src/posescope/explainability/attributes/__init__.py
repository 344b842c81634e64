"""Attributes measured per person, and linear probes that read them from features."""
