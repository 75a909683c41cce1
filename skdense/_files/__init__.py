"""Estimators in files and pickles: data only, which runs no code when it is loaded.

`saving` writes; `values` says what of Python a file holds, `archive` how it lies there, and the
checks refuse whatever no fit could have left.
"""
