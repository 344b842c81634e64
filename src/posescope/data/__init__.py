"""Annotations, images and person crops: download, read, check, filter and crop a COCO-format data set."""
