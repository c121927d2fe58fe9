"""The command ``fivefold``."""
