"""What the methods are measured on, and how a run of one is simulated."""
