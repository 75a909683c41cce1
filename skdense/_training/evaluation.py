"""Loss and metrics on held-out rows, as ``keras.Model.evaluate`` gives them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np
from scipy.sparse import issparse

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

    On TensorFlow: threads of NumPy's BLAS go on spinning for a while after each product, and
    slow down the compiled program, which runs next.
    """

    def __init__(self, tasks: list[TrainingTask]) -> None:
        self._task, self._n_members = tasks[0], len(tasks)
        are_shared = all(task.validation is tasks[0].validation for task in tasks)
        self._parts = [_HeldOut(task) for task in (tasks[:1] if are_shared else tasks)]
        self._blocks = _cut_into_blocks(self._parts)
        n_bytes = sum(part.n_bytes for part in self._parts)
        is_kept = n_bytes <= _MOST_KEPT_BYTES
        self._kept = [self._tensors(block) for block in self._blocks] if is_kept else None
        task = tasks[0]
        self._row_values = trace_row_values(
            task.network,
            task.loss,
            task.metrics,
            task.y.shape[1],
            task.dtype,
            len(tasks),
            task.outputs_are if are_shared else None,
            task.calibrated_loss is not None,
        )

    def __call__(self, members: Members) -> dict[str, float]:
        """Return "val_loss", with penalties, and "val_" twins of the metrics.

        And "val_calibrated_loss" of all rows together, where that is watched.
        """
        tf = load_tensorflow()
        weights = [
            {name: tf.constant(np.stack([own[name] for own in stages])) for name in stages[0]}
            for stages in zip(*members, strict=True)
        ]
        blocks = self._kept or map(self._tensors, self._blocks)
        found = [self._row_values(weights, *rows) for rows in blocks]
        values = np.concatenate([rows.numpy() for rows, _ in found], axis=1).astype(np.float64)
        names = [f"val_{metric.name}" for metric in self._task.metrics]
        n_rows = [part.n_rows for part in self._parts]
        losses, means = zip(
            *(part.average(own) for part, own in zip(self._parts, values, strict=True)),
            strict=True,
        )
        penalty = sum(_sum_penalties(self._task, own) for own in members) / self._n_members
        logs = {"val_loss": float(np.average(losses, weights=n_rows)) + penalty}
        logs |= zip(names, np.average(means, axis=0, weights=n_rows).tolist(), strict=True)
        if self._task.calibrated_loss is not None:
            outputs = np.concatenate([own.numpy() for _, own in found], axis=1).astype(np.float64)
            logs["val_calibrated_loss"] = self._task.calibrated_loss(self._by_part(outputs))
        return logs

    def _by_part(self, outputs: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of the networks of each part, (members, rows, outputs)."""
        if len(self._parts) == 1:
            return [outputs]
        pairs = zip(outputs, self._parts, strict=True)
        return [own[np.newaxis, : part.n_rows] for own, part in pairs]

    def _tensors(self, block: slice) -> tuple[Any, Any]:
        """Return rows of X, (parts, rows, features), and of y, (parts, rows, columns)."""
        tf = load_tensorflow()
        parts = zip(*(part.read(block) for part in self._parts), strict=True)
        # A part alone is not stacked, which would copy it once more: blocks are large.
        X, y = (tf.constant(np.stack(a) if len(a) > 1 else a[0][np.newaxis]) for a in parts)
        return X, y


class _HeldOut:
    """The validation rows of a task."""

    def __init__(self, task: TrainingTask) -> None:
        assert task.validation is not None
        self._task, self._X = task, task.validation.X
        self._y = task.validation.y.astype(task.dtype, copy=False)
        self._share = _weigh_held_out_rows(task)
        self.n_rows: int = self._X.shape[0]
        self.network = task.network

    @property
    def n_bytes(self) -> float:
        """Of all rows as they are evaluated; of sparse ones infinite, lest they be kept dense."""
        n_numbers = self.n_rows * self.network.n_inputs
        return inf if issparse(self._X) else n_numbers * np.dtype(self._task.dtype).itemsize

    def read(self, block: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return rows of X and y; after the last one it comes again, where others have more."""
        n_rows = block.stop - block.start
        if block.stop > self.n_rows:
            block = slice(min(block.start, self.n_rows - 1), self.n_rows)
        rows = self._X[block]
        dense = rows.toarray() if issparse(rows) else rows
        if dense.dtype != self._task.dtype:
            dense, given = np.empty(dense.shape, self._task.dtype), dense
            convert_rows(given, dense)
        return _lengthen(dense, n_rows), _lengthen(self._y[block], n_rows)

    def average(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the mean loss and metrics of values of rows, of which surplus ones are left."""
        own = values[: self.n_rows]
        return float(own[:, 0] @ self._share), own[:, 1:].mean(axis=0)


def _lengthen(array: np.ndarray, n_rows: int) -> np.ndarray:
    missing = n_rows - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array


def _cut_into_blocks(parts: list[_HeldOut]) -> list[slice]:
    most = max(part.n_rows for part in parts)
    size = rows_in_block(parts[0].network, is_sparse=False)  # each is made dense
    size = max(1, size // len(parts))
    return [slice(start, min(start + size, most)) for start in range(0, most, size)]


@lru_cache(maxsize=256)
def trace_row_values(
    network: Network,
    loss: Loss,
    metrics: tuple[Metric, ...],
    n_target_columns: int,
    dtype: str,
    n_members: int,
    outputs_are: str | None,
    gives_logits: bool = False,
) -> Any:
    """Return the traced function from weights, rows and targets to loss and metrics of each row.

    Of members that share rows, of what they say together: see `TrainingTask.outputs_are`, which
    is None where each has its own rows. And, where it `gives_logits`, to what goes into the
    output's activation, of each member.

    Of any number of rows, and not compiled: that takes longer than it saves.
    """
    tf = load_tensorflow()
    n_parts = 1 if outputs_are is not None else n_members
    before_activation = replace(network, output=Activation("linear"))

    def values(weights: Any, X: Any, y: Any) -> Any:
        logits, _ = trace_forward(before_activation, weights, X)
        outputs = network.output.tensor_function(logits)
        if n_members > 1 and outputs_are is not None:
            outputs = tf.reshape(outputs, [n_members, -1, network.n_outputs])
            outputs = _trace_mean(outputs, outputs_are)
        y = tf.reshape(y, [-1, n_target_columns])
        functions = [per_row_function(loss), *(metric.function for metric in metrics)]
        rows = [tf.reshape(tf.cast(f(y, outputs), dtype), [n_parts, -1]) for f in functions]
        by_member = tf.reshape(logits, [n_members, -1, network.n_outputs])
        return tf.stack(rows, axis=2), by_member[:, : None if gives_logits else 0]

    weights = [
        {name: tf.TensorSpec([n_members, *spec.shape], dtype) for name, spec in own.items()}
        for own in network.weight_specs
    ]
    X = tf.TensorSpec([n_parts, None, network.n_inputs], dtype)
    y = tf.TensorSpec([n_parts, None, n_target_columns], dtype)
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
