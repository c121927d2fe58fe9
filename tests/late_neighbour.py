"""What an objective imports while it runs."""

ZERO = 0.0
