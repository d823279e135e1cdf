"""A Matrix Market matrix with the lists of its genes and cells, as many programs leave it."""
