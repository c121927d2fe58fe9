"""The gradient-based method: descents from many starts, one arm per assignment of the categories."""
