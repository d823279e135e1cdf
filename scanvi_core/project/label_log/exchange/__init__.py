"""Logs that come from elsewhere or go there: read without trust, merged, moved to other cells."""
