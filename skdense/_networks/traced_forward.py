"""The forward pass in TensorFlow, of which the compiled program is made.

Shapes, in einsum letters: k members, b rows of a batch, f inputs, o outputs.
"""

from __future__ import annotations

from typing import NamedTuple

from .._backend.loading import load_tensorflow
from .network import Network
from .stages.stage import StageBatch, StageTensors, Tensor


class TracedBatch(NamedTuple):
    """What training has to know of a batch besides its rows."""

    is_row: Tensor  # k b, 1 for rows and 0 for padding
    seed: Tensor  # k 2
    numbers: Tensor  # k, those of all stages


def trace_forward(
    network: Network, weights: list[StageTensors], x: Tensor, batch: TracedBatch | None = None
) -> tuple[Tensor, list[StageTensors]]:
    """Pass rows through all stages.

    Parameters
    ----------
    network : Network
    weights : one dict of tensors per stage, each (k, ...)
    x : tensor of shape (k, b, f)
    batch : TracedBatch or None
        None predicts: without dropout, and normalising by moving statistics.

    Returns
    -------
    outputs : tensor of shape (k b, o)
    weights : one dict of tensors per stage
        With the new values of moving ones.
    """
    tf = load_tensorflow()
    after: list[StageTensors] = []
    n_random = n_numbers = 0
    for stage, own in zip(network.stages, weights, strict=True):
        of_stage = None
        if batch is not None:
            n_random += stage.is_random
            seed = tf.add(batch.seed, [0, n_random]) if stage.is_random else batch.seed
            last = n_numbers + len(stage.numbers)
            # Slices take a while to trace: none where there is nothing to take.
            numbers = batch.numbers[:, n_numbers:last] if stage.numbers else None
            of_stage = StageBatch(batch.is_row, seed, numbers)
            n_numbers = last
        x, moved = stage.trace(x, own, of_stage)
        after.append(own | moved)
    # As one list of rows, straight from the activation: Keras' losses find the logits of a
    # softmax or sigmoid only so, and users' losses expect (rows, columns).
    x = tf.reshape(x, [-1, network.n_outputs])
    return network.output.tensor_function(x), after
