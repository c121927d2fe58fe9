"""What fivefold costs and saves, measured against what one would use instead; see `benchmarks.engine`."""
