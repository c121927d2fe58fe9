"""Clusters: submitting a study to one from outside, and checking the files that describe one."""
