"""Losses and activations without a gradient, by which no network can learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backend.keras_objects import activation_function
from .._backend.loading import load_tensorflow
from .._networks.network import Network
from .._networks.numpy_activations import NUMPY_ACTIVATIONS
from .._networks.stages import Activation
from .losses import is_known_per_row, per_row_function
from .task import TrainingTask

Array = NDArray[Any]

# Rows on which gradients are tried, and the magnitudes of their numbers: wide enough for what is
# flat at first or everywhere far out.
_TRIAL_ROWS = 64
_MAGNITUDES = np.logspace(-2, 2, _TRIAL_ROWS)[:, np.newaxis]


def require_gradients(task: TrainingTask) -> None:
    """Raise ValueError for a loss, or an activation after weights, that has no gradient.

    Tried out once, before anything is trained, for all but Keras' own: functions such as ``sign``
    have a gradient of 0 everywhere.
    """
    for name, activation, n_units in dict.fromkeys(_activations(task.network)):
        if activation in NUMPY_ACTIVATIONS:
            continue
        function = activation_function(activation)
        x = _spread(n_units, task.dtype)
        _require_gradient(name, activation, function, x)
    if not is_known_per_row(task.loss):
        _require_gradient("loss", task.loss, per_row_function(task.loss), *_outputs_and_y(task))


def _activations(network: Network) -> Iterator[tuple[str, Any, int]]:
    """Yield the parameter, the function and the units of activations that weights come before."""
    has_weights = False
    for stage, n_units in zip(network.stages, network.widths, strict=True):
        has_weights |= bool(stage.weight_specs)
        if isinstance(stage, Activation) and has_weights:
            yield "activation", stage.function, n_units
    yield "output_activation", network.output.function, network.n_outputs


def _spread(n_columns: int, dtype: str) -> Array:
    numbers = np.random.default_rng(0).standard_normal((_TRIAL_ROWS, n_columns))
    return (numbers * _MAGNITUDES).astype(dtype)


def _outputs_and_y(task: TrainingTask) -> tuple[Array, Array]:
    """Return outputs that the network might have, and targets."""
    rows = np.arange(_TRIAL_ROWS) % len(task.y)
    y = task.y[rows].astype(task.dtype)
    outputs = _spread(task.network.n_outputs, task.dtype)
    output = task.network.output
    if output != Activation("linear"):
        return np.asarray(output.tensor_function(outputs), task.dtype), y
    if y.shape == outputs.shape:
        outputs[::2] += y[::2]  # for losses that are flat far from their targets
    return outputs, y


def _require_gradient(name: str, given: Any, function: Any, x: Array, *y: Array) -> None:
    shown = getattr(given, "__name__", repr(given))
    try:
        shapes = tuple(array.shape for array in (x, *y))
        gradient = gradient_function(function, shapes, str(x.dtype))(*map(_tensor, (x, *y)))
    except (NotImplementedError, TypeError) as error:
        raise ValueError(
            f"{name} must be made of operations of keras.ops or TensorFlow, without NumPy and "
            f"without decisions on values. Got {shown}, which failed: {error}"
        ) from error
    if gradient is None or not np.any(gradient):  # NaN counts
        raise ValueError(
            f"{name} must have a gradient, by which the weights before it are trained. Got "
            f"{shown}, whose gradient is {'missing' if gradient is None else '0 everywhere'}. "
            "Rounding, signs, comparisons, constants, NumPy and tf.stop_gradient have none; use "
            "smooth operations, such as tanh for sign."
        )


def _tensor(array: Array) -> Any:
    tf = load_tensorflow()
    return tf.constant(array)


@lru_cache(maxsize=256)
def gradient_function(
    function: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], dtype: str
) -> Any:
    """Return the traced gradient of a function of (y, x), or of x alone, with respect to x.

    Of its values weighted at random, lest those of a row that have a constant sum cancel out.
    """
    tf = load_tensorflow()

    def gradient(x: Any, *y: Any) -> Any:
        values = tf.convert_to_tensor(function(*y, x))
        if not values.dtype.is_floating:
            return None
        weights = tf.random.stateless_uniform(tf.shape(values), [0, 1], dtype=values.dtype)
        [of_x] = tf.gradients(values, x, grad_ys=weights)
        return None if of_x is None else tf.convert_to_tensor(of_x)

    specs = [tf.TensorSpec(shape, dtype) for shape in shapes]
    return tf.function(gradient, autograph=False).get_concrete_function(*specs)
