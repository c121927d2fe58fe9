"""Benchmarks of fivefold against the alternatives; see `benchmarks.engine`."""
