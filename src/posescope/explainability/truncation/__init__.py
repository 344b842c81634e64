"""PCK against the number of principal components that the rest of the network receives."""
