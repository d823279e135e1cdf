"""Objects that R saved, read by the package rdata."""
