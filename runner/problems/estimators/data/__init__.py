"""Tables: reading them, and recognising numbers, categories and dates."""
