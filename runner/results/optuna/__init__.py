"""Export of trials to the storage of Optuna."""
