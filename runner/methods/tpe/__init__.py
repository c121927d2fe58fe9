"""Tree-structured Parzen estimators, through hyperopt and with a joint density per branch."""
