"""Labels from elsewhere made into labelled lots: operators' decisions, COCO, YOLO."""
