"""Loss and metrics on held-out rows, as ``keras.Model.evaluate`` gives them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .._backend.keras_objects import activation_function
from .._backend.loading import load_tensorflow
from .._networks.forward import rows_in_block
from .._networks.network import Network, Weights
from .._networks.stages import Activation
from .._networks.traced_forward import trace_forward
from .batches import convert_rows
from .losses import Loss, per_row_function, shares_in_batch
from .metrics import Metric
from .task import Members, TrainingTask

# Validation rows up to which copies are kept as tensors from epoch to epoch. Larger ones are
# copied a block at a time, which takes little of what multiplying by the weights does.
_MOST_KEPT_BYTES = 2**25


class Evaluation:
    """Evaluates networks that are watched together, on the validation rows of their tasks.

    The mean of their predictions where they share the rows, else each on its own rows.
    """

    def __init__(self, tasks: list[TrainingTask]) -> None:
        are_shared = all(task.validation is tasks[0].validation for task in tasks)
        groups = [tasks] if are_shared else [[task] for task in tasks]
        self._parts = [_HeldOut(group) for group in groups]
        self._calibrated_loss = tasks[0].calibrated_loss

    def __call__(self, members: Members) -> dict[str, float]:
        """Return "val_loss", with penalties, and "val_" twins of the metrics.

        And "val_calibrated_loss" of all parts together, where that is watched.
        """
        own = [members] if len(self._parts) == 1 else [(weights,) for weights in members]
        pairs = zip(self._parts, own, strict=True)
        found, logits = zip(*(part.evaluate(weights) for part, weights in pairs), strict=True)
        n_rows = [part.n_rows for part in self._parts]
        logs = {
            name: float(np.average([each[name] for each in found], weights=n_rows))
            for name in found[0]
        }
        if self._calibrated_loss is not None:
            logs["val_calibrated_loss"] = self._calibrated_loss(logits)
        return logs


class _HeldOut:
    """The validation rows of a task, or of several that share them.

    On TensorFlow: threads of NumPy's BLAS go on spinning for a while after each product, and
    slow down the compiled program, which runs next.
    """

    def __init__(self, tasks: list[TrainingTask]) -> None:
        tf = load_tensorflow()
        task = tasks[0]
        assert task.validation is not None
        self._task, self._X = task, task.validation.X
        self.n_rows: int = self._X.shape[0]
        self._share = _weigh_held_out_rows(task)
        self._blocks = _cut_into_blocks(task)
        y = task.validation.y.astype(task.dtype, copy=False)
        self._y = [tf.constant(y[block]) for block in self._blocks]
        n_bytes = self.n_rows * task.network.n_inputs * np.dtype(task.dtype).itemsize
        is_kept = not issparse(self._X) and n_bytes <= _MOST_KEPT_BYTES
        self._kept_X = [self._rows(block) for block in self._blocks] if is_kept else None
        self._row_values = trace_row_values(
            task.network,
            task.loss,
            task.metrics,
            task.y.shape[1],
            task.dtype,
            len(tasks),
            task.outputs_are,
            task.calibrated_loss is not None,
        )

    def evaluate(self, members: Members) -> tuple[dict[str, float], np.ndarray]:
        """Return logs, and what goes into the output's activation, (members, rows, outputs).

        The latter is empty where nobody asks for it.
        """
        tf = load_tensorflow()
        tensors = [
            {name: tf.constant(np.stack([own[name] for own in stages])) for name in stages[0]}
            for stages in zip(*members, strict=True)
        ]
        X = self._kept_X or map(self._rows, self._blocks)
        blocks = [self._row_values(tensors, *rows) for rows in zip(X, self._y, strict=True)]
        values = np.concatenate([rows.numpy() for rows, _ in blocks]).astype(np.float64)
        logits = np.concatenate([own.numpy() for _, own in blocks], axis=1).astype(np.float64)
        names = [f"val_{metric.name}" for metric in self._task.metrics]
        means = values[:, 1:].mean(axis=0).tolist()
        penalty = sum(_sum_penalties(self._task, weights) for weights in members) / len(members)
        loss = float(values[:, 0] @ self._share) + penalty
        return {"val_loss": loss} | dict(zip(names, means, strict=True)), logits

    def _rows(self, block: slice) -> Any:
        """Return rows of X as a tensor of shape (1, rows, features)."""
        tf = load_tensorflow()
        rows = self._X[block]
        dense = rows.toarray() if issparse(rows) else rows
        if dense.dtype != self._task.dtype:
            dense, given = np.empty(dense.shape, self._task.dtype), dense
            convert_rows(given, dense)
        return tf.constant(dense[np.newaxis])


def _cut_into_blocks(task: TrainingTask) -> list[slice]:
    assert task.validation is not None
    n_rows = task.validation.X.shape[0]
    size = rows_in_block(task.network, is_sparse=False)  # each is made dense
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


@lru_cache(maxsize=256)
def trace_row_values(
    network: Network,
    loss: Loss,
    metrics: tuple[Metric, ...],
    n_target_columns: int,
    dtype: str,
    n_members: int,
    outputs_are: str,
    gives_logits: bool = False,
) -> Any:
    """Return the traced function from weights, rows and targets to loss and metrics of each row.

    Of several members, of what they say together: see `TrainingTask.outputs_are`. And, where it
    `gives_logits`, to what goes into the output's activation, of each member.

    Of any number of rows, and not compiled: that takes longer than it saves.
    """
    tf = load_tensorflow()
    before_activation = replace(network, output=Activation("linear"))

    def values(weights: Any, X: Any, y: Any) -> Any:
        logits, _ = trace_forward(before_activation, weights, X)
        outputs = activation_function(network.output.function)(logits)
        if n_members > 1:
            outputs = tf.reshape(outputs, [n_members, -1, network.n_outputs])
            outputs = _trace_mean(outputs, outputs_are)
        functions = [per_row_function(loss), *(metric.function for metric in metrics)]
        rows = [tf.reshape(tf.cast(f(y, outputs), dtype), [-1]) for f in functions]
        by_member = tf.reshape(logits, [n_members, -1, network.n_outputs])
        return tf.stack(rows, axis=1), by_member[:, : None if gives_logits else 0]

    weights = [
        {
            name: tf.TensorSpec([n_members, *spec.shape], dtype)
            for name, spec in stage.weight_specs.items()
        }
        for stage in network.stages
    ]
    X = tf.TensorSpec([1, None, network.n_inputs], dtype)
    y = tf.TensorSpec([None, n_target_columns], dtype)
    return tf.function(values, autograph=False).get_concrete_function(weights, X, y)


def _trace_mean(outputs: Any, outputs_are: str) -> Any:
    """Return the outputs of the mean of several networks, (k, b, o) to (b, o)."""
    tf = load_tensorflow()

    def mean_logarithm(logarithms: Any) -> Any:
        return tf.reduce_logsumexp(logarithms, axis=0) - np.log(logarithms.shape[0])

    if outputs_are == "logits":
        return mean_logarithm(tf.nn.log_softmax(outputs))
    if outputs_are == "binary logits":
        yes, no = tf.math.log_sigmoid(outputs), tf.math.log_sigmoid(-outputs)
        return mean_logarithm(yes) - mean_logarithm(no)
    if outputs_are == "log-probabilities":
        return mean_logarithm(outputs)
    return tf.reduce_mean(outputs, axis=0)


def _weigh_held_out_rows(task: TrainingTask) -> np.ndarray:
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


def _sum_penalties(task: TrainingTask, weights: Weights) -> float:
    """Return the penalties on kernels, which Keras counts in the validation loss too."""
    kernels = task.network.penalised(weights)
    l1, l2 = task.numbers["l1"], task.numbers["l2"]
    absolute = sum(float(np.abs(kernel).sum()) for kernel in kernels) if l1 > 0 else 0.0
    squared = sum(float(np.square(kernel).sum()) for kernel in kernels) if l2 > 0 else 0.0
    return l1 * absolute + l2 * squared
