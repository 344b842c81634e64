"""Image files: headers, limits, orientation and decoding to RGB."""
