"""Problems made of scikit-learn estimators."""
