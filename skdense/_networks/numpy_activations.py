"""Keras' activation functions in NumPy, by Keras' names.

Each takes a floating-point array of shape (rows, units), keeps its dtype and may overwrite it.
Formulas and constants are those of ``keras.activations``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

Array = NDArray[np.floating]


def _linear(x: Array) -> Array:
    return x


def _relu(x: Array) -> Array:
    return np.maximum(x, 0, out=x)


def _relu6(x: Array) -> Array:
    return np.clip(x, 0, 6, out=x)


def _leaky_relu(x: Array) -> Array:
    return np.maximum(x, x * x.dtype.type(0.2), out=x)


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _selu(x: Array) -> Array:
    # alpha and scale of Klambauer et al., "Self-Normalizing Neural Networks", 2017
    alpha, scale = x.dtype.type(1.6732632423543772), x.dtype.type(1.0507009873554805)
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x: Array) -> Array:
    return x * (erf(x * x.dtype.type(np.sqrt(0.5))) + 1) / 2


def _sigmoid(x: Array) -> Array:
    return expit(x, out=x)


def _log_sigmoid(x: Array) -> Array:
    return -_softplus(-x)


def _silu(x: Array) -> Array:
    return x * expit(x)


def _tanh(x: Array) -> Array:
    return np.tanh(x, out=x)


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, x.dtype.type(0))


def _softsign(x: Array) -> Array:
    return x / (1 + np.abs(x))


def _mish(x: Array) -> Array:
    return x * np.tanh(_softplus(x))


def _exponential(x: Array) -> Array:
    return np.exp(x, out=x)


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6 + x.dtype.type(0.5), 0, 1)


def _hard_silu(x: Array) -> Array:
    return x * _hard_sigmoid(x)


def _hard_tanh(x: Array) -> Array:
    return np.clip(x, -1, 1, out=x)


def _hard_shrink(x: Array) -> Array:
    return np.where(np.abs(x) > 0.5, x, 0)


def _soft_shrink(x: Array) -> Array:
    return np.sign(x) * np.maximum(np.abs(x) - x.dtype.type(0.5), 0)


def _tanh_shrink(x: Array) -> Array:
    return x - np.tanh(x)


def _squareplus(x: Array) -> Array:
    return (x + np.sqrt(x * x + 4)) / 2


def _sparse_plus(x: Array) -> Array:
    return np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x))


def _sparse_sigmoid(x: Array) -> Array:
    return np.clip((x + 1) / 2, 0, 1)


def _softmax(x: Array) -> Array:
    x -= x.max(axis=1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=1, keepdims=True)
    return x


def _log_softmax(x: Array) -> Array:
    x -= x.max(axis=1, keepdims=True)
    x -= np.log(np.exp(x).sum(axis=1, keepdims=True))
    return x


def _sparsemax(x: Array) -> Array:
    # As Keras computes it: the threshold takes the sum of all partial sums in the support, where
    # Martins and Astudillo ("From Softmax to Sparsemax", 2016) take the last. With Keras up to
    # 3.15 rows therefore need not sum to 1.
    descending = -np.sort(-x, axis=1)
    partial_sums = np.cumsum(descending, axis=1)
    ranks = np.arange(1, x.shape[1] + 1, dtype=x.dtype)
    support = descending - (partial_sums - 1) / ranks > 0
    total = np.sum(partial_sums, axis=1, keepdims=True, where=support)
    threshold = (total - 1) / support.sum(axis=1, keepdims=True, dtype=x.dtype)
    return np.maximum(x - threshold, 0)


NUMPY_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "celu": _elu,  # the same at Keras' default alpha=1
    "elu": _elu,
    "exponential": _exponential,
    "gelu": _gelu,
    "hard_shrink": _hard_shrink,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "hard_tanh": _hard_tanh,
    "leaky_relu": _leaky_relu,
    "linear": _linear,
    "log_sigmoid": _log_sigmoid,
    "log_softmax": _log_softmax,
    "mish": _mish,
    "relu": _relu,
    "relu6": _relu6,
    "selu": _selu,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "soft_shrink": _soft_shrink,
    "softmax": _softmax,
    "softplus": _softplus,
    "softsign": _softsign,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "sparsemax": _sparsemax,
    "squareplus": _squareplus,
    "swish": _silu,
    "tanh": _tanh,
    "tanh_shrink": _tanh_shrink,
}
