"""What fine-tuning a GroundingDINO needs: targets, the loss of its boxes and a judge."""
