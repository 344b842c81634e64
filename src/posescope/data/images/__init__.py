"""What an image file says of itself: its kind, its size, its orientation, and how large a picture may be."""
