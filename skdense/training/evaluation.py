"""Loss and metrics on held-out rows, as ``keras.Model.evaluate`` gives them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .. import _tensorflow
from .._keras_objects import Activation, activation_function
from .._network import Weights, forward
from .losses import Loss, per_row_function, shares_in_batch
from .metrics import Metric
from .task import TrainingTask


class Evaluation:
    """Evaluates networks on the validation rows of a task."""

    def __init__(self, task: TrainingTask) -> None:
        tf, _ = _tensorflow.load()
        assert task.validation is not None
        self._task, self._data = task, task.validation
        self._share = _shares(task)
        self._y = tf.constant(self._data.y.astype(task.dtype, copy=False))
        self._row_values = row_values(
            task.network.output.function,
            task.loss,
            task.metrics,
            task.y.shape[1],
            task.network.n_outputs,
            task.dtype,
        )

    def __call__(self, weights: Weights) -> dict[str, float]:
        """Return "val_loss", with penalties, and "val_" twins of the metrics."""
        tf, _ = _tensorflow.load()
        logits = forward(self._task.network, weights, self._data.X, activate=False)
        logits = logits.astype(self._task.dtype, copy=False)  # of a memory map in another dtype
        losses, *metrics = self._row_values(self._y, tf.constant(logits))
        loss = float(losses.numpy().astype(np.float64) @ self._share)
        values = {"val_loss": loss + _penalty(self._task, weights)}
        for metric, rows in zip(self._task.metrics, metrics, strict=True):
            values[f"val_{metric.name}"] = float(rows.numpy().mean(dtype=np.float64))
        return values


@lru_cache(maxsize=256)
def row_values(
    output: Activation,
    loss: Loss,
    metrics: tuple[Metric, ...],
    n_target_columns: int,
    n_outputs: int,
    dtype: str,
) -> Any:
    """Return the traced function from targets and logits to loss and metrics of each row.

    From logits, because Keras' losses look for them behind the output's activation.
    """
    tf, _ = _tensorflow.load()

    def values(y: Any, logits: Any) -> list[Any]:
        outputs = activation_function(output)(logits)
        functions = [per_row_function(loss), *(metric.function for metric in metrics)]
        return [tf.reshape(tf.cast(function(y, outputs), dtype), [-1]) for function in functions]

    shapes = (tf.TensorSpec([None, columns], dtype) for columns in (n_target_columns, n_outputs))
    return tf.function(values, autograph=False).get_concrete_function(*shapes)


def _shares(task: TrainingTask) -> np.ndarray:
    """Return what each row's loss counts when batches are averaged by their rows."""
    assert task.validation is not None
    n_rows = task.validation.X.shape[0]
    n_batches = -(-n_rows // task.batch_size)
    lengths = np.full(n_batches, task.batch_size)
    lengths[-1] = n_rows - (n_batches - 1) * task.batch_size
    weights = np.zeros(n_batches * task.batch_size)
    own = task.validation.sample_weight
    weights[:n_rows] = 1.0 if own is None else own
    shares = shares_in_batch(task.loss, weights.reshape(1, n_batches, -1), lengths)[0]
    return (shares * lengths[:, np.newaxis] / n_rows).ravel()[:n_rows]


def _penalty(task: TrainingTask, weights: Weights) -> float:
    """Return the penalties on every kernel, which Keras counts in the validation loss too."""
    kernels = [stage["kernel"] for stage in weights if "kernel" in stage]
    l1 = sum(float(np.abs(kernel).sum()) for kernel in kernels) if task.l1 > 0 else 0.0
    l2 = sum(float(np.square(kernel).sum()) for kernel in kernels) if task.l2 > 0 else 0.0
    return task.l1 * l1 + task.l2 * l2
