"""The traced forward pass of training, one function for each kind of stage.

Shapes, in einsum letters: k members, b rows of a batch, f inputs, o outputs.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any, NamedTuple

from .. import _tensorflow
from .._keras_objects import activation_function
from .._network import (
    NORMALIZATION_EPSILON,
    NORMALIZATION_MOMENTUM,
    Activation,
    Dense,
    Dropout,
    Network,
    Normalization,
    Stage,
)

Tensor = Any
StageTensors = dict[str, Tensor]


class Batch(NamedTuple):
    """What training has to know of a batch besides its rows."""

    is_row: Tensor  # k b, 1 for rows and 0 for padding
    dropout_seed: Tensor  # k 2
    dropout_rates: Tensor  # k, number of dropout stages


def forward_pass(
    network: Network, weights: list[StageTensors], x: Tensor, batch: Batch | None = None
) -> tuple[Tensor, list[StageTensors]]:
    """Pass rows through all stages.

    Parameters
    ----------
    network : Network
    weights : one dict of tensors per stage, each (k, ...)
    x : tensor of shape (k, b, f)
    batch : Batch or None
        None predicts: without dropout, and normalising by moving statistics.

    Returns
    -------
    outputs : tensor of shape (k b, o)
    weights : one dict of tensors per stage
        With the new moving statistics.
    """
    tf, _ = _tensorflow.load()
    moving: list[StageTensors] = []
    n_dropouts = 0
    for stage, own in zip(network.stages, weights, strict=True):
        x, statistics = _stage(stage, x, own, batch, n_dropouts)
        moving.append(own | statistics)
        n_dropouts += isinstance(stage, Dropout)
    # As one list of rows, straight from the activation: Keras' losses find the logits of a
    # softmax or sigmoid only so, and users' losses expect (rows, columns).
    x = tf.reshape(x, [-1, network.n_outputs])
    return activation_function(network.output.function)(x), moving


@singledispatch
def _stage(
    stage: Stage, x: Tensor, weights: StageTensors, batch: Batch | None, n_dropouts: int
) -> tuple[Tensor, StageTensors]:
    """Pass (k, b, units) through one stage; returns the result and new moving statistics."""
    raise TypeError(f"no traced forward pass for {stage!r}")


@_stage.register
def _(
    stage: Dense, x: Tensor, weights: StageTensors, batch: Batch | None, n_dropouts: int
) -> tuple[Tensor, StageTensors]:
    tf, _ = _tensorflow.load()
    return _product(x, weights["kernel"]) + tf.expand_dims(weights["bias"], 1), {}


def _product(x: Tensor, kernel: Tensor) -> Tensor:
    """Return x @ kernel, with a gradient that XLA computes fast on processors.

    The gradient of a kernel is a product with one factor transposed. The order that TensorFlow
    takes makes XLA walk through all of x in strides: for 512 units before 10 classes, batch
    128, that took 135 us; with the smaller factor transposed it takes 40 us.
    """
    tf, _ = _tensorflow.load()
    n_inputs, n_units = kernel.shape[1:]

    def product(x: Tensor, kernel: Tensor) -> tuple[Tensor, Any]:
        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            of_x = tf.matmul(upstream, kernel, transpose_b=True)
            if 2 * n_units <= n_inputs:
                of_kernel = tf.linalg.matrix_transpose(tf.matmul(upstream, x, transpose_a=True))
            else:
                of_kernel = tf.matmul(tf.linalg.matrix_transpose(x), upstream)
            return of_x, of_kernel

        return tf.matmul(x, kernel), gradient

    return tf.custom_gradient(product)(x, kernel)


@_stage.register
def _(
    stage: Normalization, x: Tensor, weights: StageTensors, batch: Batch | None, n_dropouts: int
) -> tuple[Tensor, StageTensors]:
    tf, _ = _tensorflow.load()
    mean, variance, statistics = weights["moving_mean"], weights["moving_variance"], {}
    if batch is not None:
        is_row = batch.is_row[..., tf.newaxis]
        n_rows, keep = tf.reduce_sum(is_row, axis=1), NORMALIZATION_MOMENTUM
        mean = tf.reduce_sum(x * is_row, axis=1) / n_rows
        squares = tf.square(x - mean[:, tf.newaxis])
        variance = tf.reduce_sum(squares * is_row, axis=1) / n_rows
        statistics = {
            "moving_mean": weights["moving_mean"] * keep + mean * (1 - keep),
            "moving_variance": weights["moving_variance"] * keep + variance * (1 - keep),
        }
    centred = x - mean[:, tf.newaxis]
    scale = weights["gamma"] * tf.math.rsqrt(variance + NORMALIZATION_EPSILON)
    return centred * scale[:, tf.newaxis] + weights["beta"][:, tf.newaxis], statistics


@_stage.register
def _(
    stage: Activation, x: Tensor, weights: StageTensors, batch: Batch | None, n_dropouts: int
) -> tuple[Tensor, StageTensors]:
    tf, _ = _tensorflow.load()
    rows = tf.reshape(x, [-1, x.shape[-1]])
    function = _relu if stage.function == "relu" else activation_function(stage.function)
    return tf.reshape(function(rows), [x.shape[0], -1, x.shape[-1]]), {}


def _relu(x: Tensor) -> Tensor:
    """Return Keras' relu, whose own takes TensorFlow 14 ms to compile; NaN stays NaN."""
    tf, _ = _tensorflow.load()
    return tf.where(x <= 0, tf.zeros_like(x), x)


@_stage.register
def _(
    stage: Dropout, x: Tensor, weights: StageTensors, batch: Batch | None, n_dropouts: int
) -> tuple[Tensor, StageTensors]:
    tf, _ = _tensorflow.load()
    if batch is None:
        return x, {}

    # A seed for each member, so that its masks do not depend on how many train beside it.
    def draw(seed: Tensor) -> Tensor:
        return tf.random.stateless_uniform(x.shape[1:], seed, dtype=x.dtype, alg="threefry")

    rate = batch.dropout_rates[:, n_dropouts, tf.newaxis, tf.newaxis]
    seeds = tf.add(batch.dropout_seed, [0, n_dropouts + 1])
    kept = tf.vectorized_map(draw, seeds) >= rate
    return tf.where(kept, x / (1 - rate), tf.zeros_like(x)), {}
