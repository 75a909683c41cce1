"""Outputs of a Keras model beside those of the network that was read from it, on a few rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._backend.loading import load_tensorflow
from .network import Array, Network, Weights, cast_weights
from .stages import Activation

# Rounding of the coarsest dtype in a model. That of float32 for float64 too: TensorFlow has
# constants of activations, such as gelu's, in float32.
_ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
_ROUNDING_OF_FLOAT32 = 2.0**-24
# A sum of many products rounds more than once. Outputs of 300 models of every dtype, up to 20,000
# wide and 12 deep, were off by at most a third of what these two allow.
_MARGIN = 16
_SPREAD = 4
_DRAWS = 8
# Of the rows: small and great ones too, since those near 1 may all lie where an activation is
# flat. Powers of 2, so that every dtype holds the numbers.
_SCALES = (2.0**-6, 1, 1, 1, 1, 1, 2.0**6, 2.0**12)


def require_same_outputs(model: Any, network: Network, weights: Weights) -> None:
    """Raise ValueError unless a network computes what its model does, on rows of random numbers.

    Outputs may differ by what rounding makes of them in this network, at these rows. Those that
    overflow in the model are left out: the network has more room.
    """
    tf = load_tensorflow()
    rows = _draw_rows(network.n_inputs, weights[-1]["kernel"].dtype)
    with tf.device("CPU:0"):  # GPUs round products to TF32
        theirs = np.asarray(model(rows, training=False)).astype(np.float64)
    with np.errstate(all="ignore"):
        # One at a time, since no row may depend on the others.
        ours = np.concatenate([_compute_outputs(network, weights, row[np.newaxis]) for row in rows])
        tolerance = _allow_for_rounding(network, weights, rows, _MARGIN * _find_rounding(model))
        row = _find_differing_row(theirs, ours, tolerance)
    if row is not None:
        raise ValueError(
            "model must compute what its layers do by their kinds and arguments, for each row by "
            f"itself. Got other outputs, {theirs[row]}, than layers like these give, {ours[row]}, "
            "for a row of random numbers. See whether its call, a layer or an activation was "
            "changed."
        )


def _find_differing_row(theirs: Array, ours: Array, tolerance: Array) -> int | None:
    if theirs.shape != ours.shape:
        return 0
    is_off = (np.isfinite(theirs) & (np.abs(ours - theirs) > tolerance)).any(axis=1)
    return int(is_off.argmax()) if is_off.any() else None


def _draw_rows(n_inputs: int, dtype: Any) -> Array:
    numbers = np.random.default_rng(0).integers(-128, 128, (len(_SCALES), n_inputs)) / 64
    rows: Array = (numbers * np.reshape(_SCALES, (-1, 1))).astype(dtype)
    return rows


def _find_rounding(model: Any) -> float:
    parts = [*model.layers, *(getattr(layer, "activation", None) for layer in model.layers)]
    dtypes = {model.inputs[0].dtype, *(getattr(part, "compute_dtype", "") for part in parts)}
    return max(_ROUNDING.get(dtype, _ROUNDING_OF_FLOAT32) for dtype in dtypes)


def _allow_for_rounding(network: Network, weights: Weights, rows: Array, size: float) -> Array:
    """Return how far each output goes, (rows, outputs), if every number on the way is off."""
    many = np.repeat(rows, _DRAWS, axis=0)
    moved = np.abs(
        _compute_outputs(network, weights, many, size) - _compute_outputs(network, weights, many)
    )
    spread: Array = moved.reshape(len(rows), _DRAWS, -1).max(axis=1)
    return _SPREAD * spread


def _compute_outputs(network: Network, weights: Weights, rows: Array, size: float = 0.0) -> Array:
    """Compute outputs, with numbers that are off by up to `size` times themselves."""
    generator = np.random.default_rng(1)
    x = rows
    for stage, own in zip(
        (*network.stages, network.output), (*cast_weights(weights, x.dtype), {}), strict=True
    ):
        x = stage.forward(x * (1 + size * _draw_noise(generator, x)), own)
        if isinstance(stage, Activation) and stage.function != "linear":
            # As Keras' are near 0, whose elu, exp(x) - 1, has no more digits there.
            x = x + size * _draw_noise(generator, x)
    return x


def _draw_noise(generator: np.random.Generator, x: Array) -> Array:
    return generator.uniform(-1, 1, x.shape).astype(x.dtype)
