"""Many fits at once: joblib's calls take turns, and what they train trains together."""
