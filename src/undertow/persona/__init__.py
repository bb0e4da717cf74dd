"""What a model says of itself, held against what it does."""
