"""The log of what happened to the labels: its events, its store, and what lies under them."""
