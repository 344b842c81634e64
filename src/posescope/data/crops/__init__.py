"""Images -> shards of square, person-centred crops, and reading them back."""
