"""A project: its folder, the log of its labels, its runs."""
