"""Person-centred crops: crop boxes, cropping of images into shards, and reading of the shards."""
