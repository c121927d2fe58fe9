"""Files that ``fivefold init`` writes: a commented study for each case, and its objective."""
