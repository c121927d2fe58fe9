"""What a search over an estimator leaves behind: a pipeline in a file, and the Python that rebuilds it."""
