"""A table as it is, of numbers, texts and gaps, as a matrix of numbers and codes."""
