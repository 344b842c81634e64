"""Read images and videos from files, folders and memory, one at a time."""
