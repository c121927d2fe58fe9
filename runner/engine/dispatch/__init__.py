"""Dispatching: which trial is evaluated next, and what becomes of the trials of a lost worker."""
