"""Integrations: scikit-learn, experiment trackers, and objectives of hyperopt and Ray Tune."""
