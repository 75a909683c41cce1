"""What TensorFlow and Keras are to this package: loaded late, their objects held as data.

Nothing here knows of networks. The other rooms get `tf` and `keras` from `loading`, and warn
through `warnings`.
"""
