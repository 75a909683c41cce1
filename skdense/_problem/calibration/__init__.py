"""Answers that are as sure as they are right, on rows held out.

Classes by a temperature (`temperature`), quantiles by a shift of each (`shifts`); `choice` says
which of them a problem has.
"""
