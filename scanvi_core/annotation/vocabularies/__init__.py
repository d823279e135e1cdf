"""Names that different sources have for the same cells."""
