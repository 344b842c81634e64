"""Labels of CVAT, Label Studio, FiftyOne and YOLO-pose, to and from COCO annotations; which images to label next."""
