"""The vision-language model: an answer in words to a picture."""
