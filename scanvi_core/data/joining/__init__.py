"""Several data sets as one: which genes they share, their tables, and their counts."""
