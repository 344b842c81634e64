"""Principal components of features, and the pose attributes that describe them."""
