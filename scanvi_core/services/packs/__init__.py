"""Beginning from a pack: looking through it, holding it against the data, making its model."""
