"""Kinds of target: how answers become numbers for a network, and its outputs answers again.

A target is frozen data, made from y and the parameters, and kept by the fitted estimator: a class
for each row (`classes`), several labels (`labels`), or numbers (`numbers`).
"""
