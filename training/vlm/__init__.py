"""What fine-tuning a VLM of the Qwen families needs: answers, batches, the loss and a judge."""
