"""What a fit was asked, as data: parameters, rows, labels and target, made into training tasks.

Every check of what the user gave is here, with its message.
"""
