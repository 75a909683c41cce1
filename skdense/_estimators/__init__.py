"""The estimators, and what scikit-learn expects of them."""
