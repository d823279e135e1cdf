"""Which method names the most hidden cells right; see ``python -m benchmarks.accuracy --help``."""
