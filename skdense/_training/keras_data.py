"""Batches of a task as data sets, for ``keras.Model.fit``."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backend.loading import load_tensorflow
from .batches import EpochPlan, count_rows_of_batches, plan_epochs, take_rows
from .task import TrainingTask, ValidationData

Batch = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]  # rows, targets and weights

# What reads a batch by its number, for each data set in use. TensorFlow keeps the Python function
# of a data set until the process ends; one of each fit would keep all that the fit was given.
_readers: dict[int, Callable[[int], Batch]] = {}
_reader_numbers = itertools.count()
_ENDLESS = 2**63 - 1


@contextlib.contextmanager
def training_data(task: TrainingTask) -> Iterator[Any]:
    """Yield the data set of all batches of all epochs."""
    tf = load_tensorflow()
    with _reader(_training_reader(task)) as number:
        yield _dataset(number, tf.data.Dataset.range(_ENDLESS), task)


@contextlib.contextmanager
def validation_data(task: TrainingTask) -> Iterator[Any]:
    """Yield the data set of the validation rows in batches; None where there are none."""
    data = task.validation
    if data is None:
        yield None
        return
    tf = load_tensorflow()
    n_rows, size = data.X.shape[0], task.batch_size

    def read(number: int) -> Batch:
        rows = np.arange(number * size, min((number + 1) * size, n_rows))
        return _batch(task, data, rows)

    with _reader(read) as number:
        yield _dataset(number, tf.data.Dataset.range(-(-n_rows // size)), task)


@contextlib.contextmanager
def _reader(read: Callable[[int], Batch]) -> Iterator[int]:
    """Let data sets read from a function, by the number that this yields."""
    number = next(_reader_numbers)
    _readers[number] = read
    try:
        yield number
    finally:
        del _readers[number]


def _dataset(reader: int, numbers: Any, task: TrainingTask) -> Any:
    tf = load_tensorflow()
    widths = task.network.n_inputs, task.y.shape[1]

    def batch(number: Any) -> Any:
        X, y, weights = _read_function(task.dtype)(tf.constant(reader, tf.int64), number)
        for part, width in zip((X, y), widths, strict=True):
            part.set_shape([None, width])
        return X, y, weights

    return numbers.map(tf.function(batch, autograph=False))


@lru_cache
def _read_function(dtype: str) -> Any:
    """Return the function of tensors from the numbers of a reader and of a batch to the batch."""
    tf = load_tensorflow()

    def read(reader: Any, number: Any) -> Batch:
        return _readers[int(reader)](int(number))

    def read_batch(reader: Any, number: Any) -> Any:
        X, y, weights = tf.numpy_function(read, [reader, number], [dtype] * 3)
        weights.set_shape([None])
        return X, y, weights

    return tf.function(read_batch, autograph=False)


def _training_reader(task: TrainingTask) -> Callable[[int], Batch]:
    """Return what reads the batches of all epochs one after the other."""
    lengths = count_rows_of_batches(task)

    @lru_cache(maxsize=1)
    def plan(epoch: int) -> EpochPlan:
        return plan_epochs(task, range(epoch, epoch + 1))

    def read(number: int) -> Batch:
        n_epochs, step = divmod(number, task.steps_per_epoch)
        rows = plan(task.epoch_numbers.start + n_epochs).rows[step]
        return _batch(task, task, rows[: lengths[step]])

    return read


def _batch(
    task: TrainingTask, data: TrainingTask | ValidationData, rows: NDArray[np.intp]
) -> Batch:
    X = np.empty((len(rows), task.network.n_inputs), task.dtype)
    take_rows(data.X, rows, X)
    weights = np.ones(len(rows)) if data.sample_weight is None else data.sample_weight[rows]
    return X, data.y[rows].astype(task.dtype), weights.astype(task.dtype)
