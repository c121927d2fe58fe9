"""Other programs: scikit-learn, trackers, and the objectives of hyperopt and Ray Tune."""
