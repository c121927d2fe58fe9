"""Studies: their file, its sections, and what a study derives from them."""
