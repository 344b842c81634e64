"""COCO files: find, read, validate and repair annotations, filter persons, and write results."""
