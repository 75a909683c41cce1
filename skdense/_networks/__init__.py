"""A network as data, and everything that can be made of one.

`network` has the architecture and its forward pass in NumPy; beside it are the same network as a
Keras model, read from one, as ONNX operators and as HTML.
"""
