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


class _Batch(NamedTuple):
    """What a stage may need to know of its batch besides its input."""

    is_row: Tensor  # k b 1, 1 for rows and 0 for padding
    dropout_seed: Tensor  # k 2
    dropout_rate: Tensor  # k


def forward_pass(
    network: Network,
    weights: list[StageTensors],
    x: Tensor,
    is_row: Tensor,
    dropout_seed: Tensor,
    dropout_rates: Tensor,
) -> tuple[Tensor, list[StageTensors]]:
    """Pass a batch through all stages.

    Parameters
    ----------
    network : Network
    weights : one dict of tensors per stage, each (k, ...)
    x : tensor of shape (k, b, f)
    is_row : tensor of shape (k, b)
        1 for rows and 0 for padding.
    dropout_seed : tensor of shape (k, 2)
    dropout_rates : tensor of shape (k, number of dropout stages)

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
        rate = None
        if isinstance(stage, Dropout):
            rate, n_dropouts = dropout_rates[:, n_dropouts], n_dropouts + 1
        batch = _Batch(is_row[..., tf.newaxis], tf.add(dropout_seed, [0, n_dropouts]), rate)
        x, statistics = _stage(stage, x, own, batch)
        moving.append(own | statistics)
    # As one list of rows, straight from the activation: Keras' losses find the logits of a
    # softmax or sigmoid only so, and users' losses expect (rows, columns).
    x = tf.reshape(x, [-1, network.n_outputs])
    return activation_function(network.output.function)(x), moving


@singledispatch
def _stage(
    stage: Stage, x: Tensor, weights: StageTensors, batch: _Batch
) -> tuple[Tensor, StageTensors]:
    """Pass (k, b, units) through one stage; returns the result and new moving statistics."""
    raise TypeError(f"no traced forward pass for {stage!r}")


@_stage.register
def _(stage: Dense, x: Tensor, weights: StageTensors, batch: _Batch) -> tuple[Tensor, StageTensors]:
    tf, _ = _tensorflow.load()
    return _product(x, weights["kernel"]) + weights["bias"][:, tf.newaxis], {}


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
    stage: Normalization, x: Tensor, weights: StageTensors, batch: _Batch
) -> tuple[Tensor, StageTensors]:
    tf, _ = _tensorflow.load()
    n_rows = tf.reduce_sum(batch.is_row, axis=1)
    mean = tf.reduce_sum(x * batch.is_row, axis=1) / n_rows
    centred = x - mean[:, tf.newaxis]
    variance = tf.reduce_sum(tf.square(centred) * batch.is_row, axis=1) / n_rows
    scale = weights["gamma"] * tf.math.rsqrt(variance + NORMALIZATION_EPSILON)
    keep = NORMALIZATION_MOMENTUM
    statistics = {
        "moving_mean": weights["moving_mean"] * keep + mean * (1 - keep),
        "moving_variance": weights["moving_variance"] * keep + variance * (1 - keep),
    }
    return centred * scale[:, tf.newaxis] + weights["beta"][:, tf.newaxis], statistics


@_stage.register
def _(
    stage: Activation, x: Tensor, weights: StageTensors, batch: _Batch
) -> tuple[Tensor, StageTensors]:
    tf, _ = _tensorflow.load()
    rows = tf.reshape(x, [-1, x.shape[-1]])
    return tf.reshape(activation_function(stage.function)(rows), x.shape), {}


@_stage.register
def _(
    stage: Dropout, x: Tensor, weights: StageTensors, batch: _Batch
) -> tuple[Tensor, StageTensors]:
    tf, _ = _tensorflow.load()

    # A seed for each member, so that its masks do not depend on how many train beside it.
    def draw(seed: Tensor) -> Tensor:
        return tf.random.stateless_uniform(x.shape[1:], seed, dtype=x.dtype, alg="threefry")

    rate = batch.dropout_rate[:, tf.newaxis, tf.newaxis]
    kept = tf.vectorized_map(draw, batch.dropout_seed) >= rate
    return tf.where(kept, x / (1 - rate), tf.zeros_like(x)), {}
