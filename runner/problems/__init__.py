"""Built-in problems, one kind per file, and the registry."""
