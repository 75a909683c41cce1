"""Whether a training has room in memory: known before it takes any, or named afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from .._backend.memory import usable_memory
from .._networks.stages import Embedding
from .task import TrainingTask


@contextlib.contextmanager
def in_memory(tasks: list[TrainingTask]) -> Iterator[None]:
    """Refuse what cannot fit, and name the sizes and parameters of what did not.

    Raises
    ------
    MemoryError
        If a network's weights and their gradients, or the outputs of its layers for one batch,
        exceed the memory that this process can have, or if memory runs out in what follows.
    """
    _require_memory(tasks)
    try:
        yield
    except Exception as error:
        if not _is_of_memory(error):
            raise
        largest = max(tasks, key=_bytes_of_weights)
        of_each = f" for each of {len(tasks)} networks" if len(tasks) > 1 else ""
        raise MemoryError(f"{_sizes(largest)}{of_each}, more than there was. {_ADVICE}") from error


def _require_memory(tasks: list[TrainingTask]) -> None:
    of_each = [max(_bytes_of_weights(task), _bytes_of_batch(task)) for task in tasks]
    together = _COPIES_OF_EMBEDDED * sum(map(_bytes_of_embedded, tasks))
    if max(*of_each, together) <= _ALWAYS_FITS:
        return
    most = usable_memory()
    for task, n_bytes in zip(tasks, of_each, strict=True):
        if n_bytes > most:
            raise MemoryError(f"{_sizes(task)}, of at most {_gigabytes(most)}. {_ADVICE}")
    if together > most:
        raise MemoryError(
            f"{_sizes(tasks[0])}. Embedded columns of {len(tasks)} networks take about "
            f"{_gigabytes(together)}, of at most {_gigabytes(most)}. {_ADVICE}"
        )


# Less than TensorFlow itself, so that no limit is read for it.
_ALWAYS_FITS = 2**26
_ADVICE = (
    "Lower units, depth or batch_size, or n_bins, embedding_units and n_estimators if there are "
    "any, or set numeric_embedding=None."
)
# What the compiled program holds of them at once: features, products, gradients of both. With
# 5,000 columns 13 were measured.
_COPIES_OF_EMBEDDED = 12


def _bytes_of_weights(task: TrainingTask) -> int:
    return 2 * task.network.n_weights * np.dtype(task.dtype).itemsize


def _bytes_of_batch(task: TrainingTask) -> int:
    rows = min(task.batch_size, task.n_samples)
    own = rows * sum(_widths(task)) * np.dtype(task.dtype).itemsize
    return own + _bytes_of_embedded(task)


def _bytes_of_embedded(task: TrainingTask) -> int:
    rows = min(task.batch_size, task.n_samples)
    stages = task.network.stages
    embedded = sum(s.width_inside(s.n_columns) for s in stages if isinstance(s, Embedding))
    return rows * embedded * np.dtype(task.dtype).itemsize


def _widths(task: TrainingTask) -> list[int]:
    return [stage.n_units for stage in task.network.dense]


def _sizes(task: TrainingTask) -> str:
    hidden = _widths(task)[:-1]
    shown = f"{hidden[:3]!r}"[:-1] + (", ...]" if len(hidden) > 3 else "]")
    return (
        f"Training must fit into memory. Got units={shown} in {len(hidden)} hidden layers for "
        f"{task.network.n_inputs} columns, batch_size={min(task.batch_size, task.n_samples)} and "
        f"dtype={task.dtype}: {task.network.n_weights:,} weights, which take "
        f"{_gigabytes(_bytes_of_weights(task))} with their gradients, and layers whose outputs "
        f"for one batch take {_gigabytes(_bytes_of_batch(task))}"
    )


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.3g} GB"


def _is_of_memory(error: Exception) -> bool:
    """Say so by name, since TensorFlow, whose error it may be, is loaded inside of functions."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
