"""The analysis clusters: groups of persons, their validity, their description and their errors."""
