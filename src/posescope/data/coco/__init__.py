"""COCO files: find them, read and check them, filter people, write results."""
