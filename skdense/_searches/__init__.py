"""Many fits at once: joblib's calls run in turns, and their networks train side by side."""
