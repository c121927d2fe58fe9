"""What ``fivefold init`` writes: a commented study, and its objective where it has one, for each case."""
