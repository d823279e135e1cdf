"""What decisions teach: soft labels for a training, and a refit at once."""
