"""Submission of studies to clusters, and checks of the files that describe them."""
