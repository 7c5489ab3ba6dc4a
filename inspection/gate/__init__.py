"""What is looked at before a verdict: a picture that cannot be judged is never normal."""
