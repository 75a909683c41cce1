"""Answers that are as sure as they are right, on rows held out.

Classes by a temperature (`temperature`), quantiles by a shift of each (`shifts`), numbers only
while they are watched (`shrinkage`). Which of them a problem has: `choice`. What is known of the
rows: `held_out`.
"""
