"""Rows in the order of training, gathered into chunks of fixed shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from .losses import shares_in_batch
from .task import Draw, TrainingTask

# Bytes of data in a chunk. Each call costs up to 1 ms. Twice as much makes steps 1 % faster at
# 20,000 x 20.
_CHUNK_BYTES = 2**23
_MOST_STEPS = 1024
# Steps with wide data, for which the chunk may be larger.
_FEW_STEPS = 32
_LARGE_CHUNK_BYTES = 2**24
_ALIGNMENT = 64
_ROWS_LOOKED_AT = 1024
_MOST_SNAPSHOTS = 64
_SNAPSHOT_BYTES = 2**21


def draw_order(task: TrainingTask, epoch: int) -> NDArray[np.intp]:
    """Return the rows in the order in which an epoch, counted from 0, visits them."""
    order = np.arange(task.n_samples)
    if task.shuffle:
        task.generator(Draw.ORDER, epoch).shuffle(order)
    return order if task.rows is None else task.rows[order]


def steps_per_chunk(task: TrainingTask, n_members: int) -> int:
    """Return how many steps one call of the program takes at most.

    Depends on the shape of a batch alone, not on the number of rows, so that folds of
    different sizes share one program.
    """
    # X, y and the share of each row, which are the bulk of what a step reads.
    columns = task.compiled_network.n_inputs + task.y.shape[1] + 1
    step = n_members * task.batch_size * columns * np.dtype(task.dtype).itemsize
    few = min(_FEW_STEPS, _LARGE_CHUNK_BYTES // step)
    return max(1, few, min(_MOST_STEPS, _CHUNK_BYTES // step))


def snapshots_per_chunk(task: TrainingTask, n_members: int) -> int:
    """Return how many epochs of one call of the program leave a snapshot of their weights.

    Depends on the network alone. A call costs up to 1 ms, which is much for small networks only.
    """
    n_weights = n_members * task.compiled_network.n_weights
    return max(1, min(_MOST_SNAPSHOTS, _SNAPSHOT_BYTES // (n_weights * 8)))


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """Which rows the steps of some consecutive epochs take, and what each counts.

    Attributes
    ----------
    rows : ndarray of shape (n_steps, batch_size)
        Padding, in the last batch of an epoch, repeats a real row, whose loss is finite
        wherever any is.
    share : ndarray of shape (n_steps, batch_size)
        What a row's loss counts in its batch; 0 for padding.
    seed : ndarray of shape (n_steps, 2)
    """

    rows: NDArray[np.intp]
    share: NDArray[np.floating]
    seed: NDArray[np.int32]


def plan_epochs(task: TrainingTask, epochs: range) -> EpochPlan:
    """Lay out the batches of some epochs."""
    shape = (len(epochs), task.steps_per_epoch, task.batch_size)
    rows = np.empty((len(epochs), task.steps_per_epoch * task.batch_size), np.intp)
    # Each epoch has an order of its own seed, whichever block of epochs it is laid out in: so that
    # a training that is watched, interrupted or gone on with visits the rows as any other does.
    for own, epoch in zip(rows, epochs, strict=True):
        own[: task.n_samples] = draw_order(task, epoch)
        own[task.n_samples :] = own[0]
    share = _weigh_rows(task, rows.reshape(shape))
    if task.network.is_random:
        seeds = np.concatenate([_draw_seeds(task, epoch) for epoch in epochs])
    else:
        seeds = np.zeros((shape[0] * shape[1], 2), np.int32)
    return EpochPlan(
        rows.reshape(-1, task.batch_size), share.reshape(rows.size // shape[2], -1), seeds
    )


def count_rows_of_batches(task: TrainingTask) -> NDArray[np.intp]:
    """Return the number of rows in each batch of an epoch, (steps_per_epoch,)."""
    starts = np.arange(task.steps_per_epoch) * task.batch_size
    return np.minimum(task.batch_size, task.n_samples - starts)


def _weigh_rows(task: TrainingTask, rows: NDArray[np.intp]) -> NDArray[np.floating]:
    """Return the share of each row in its batch's loss; `rows` is (epochs, steps, batch)."""
    weights = np.ones(rows.shape, task.dtype)
    if task.sample_weight is not None:
        weights = task.sample_weight[rows].astype(task.dtype, copy=False)
    lengths = count_rows_of_batches(task)
    weights[:, -1, lengths[-1] :] = 0
    return shares_in_batch(task.loss, weights, lengths)


def _draw_seeds(task: TrainingTask, epoch: int) -> NDArray[np.int32]:
    shape = (task.steps_per_epoch, 2)
    return task.generator(Draw.DROPOUT, epoch).integers(2**31, size=shape, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Data of some consecutive steps, for every member.

    Attributes
    ----------
    X : ndarray of shape (steps, members, batch_size, n_inputs)
    y : ndarray of shape (steps, members, batch_size, n_target_columns)
    share : ndarray of shape (steps, members, batch_size)
    seed : ndarray of shape (steps, members, 2)
    n_steps : int
        How many steps are real; what follows them is uninitialised memory, which costs nothing
        until it is touched.
    """

    X: NDArray[np.floating]
    y: NDArray[np.floating]
    share: NDArray[np.floating]
    seed: NDArray[np.int32]
    n_steps: int


def allocate_chunk(task: TrainingTask, n_members: int, size: int) -> Chunk:
    """Return uninitialised memory for `size` steps."""
    shape = (size, n_members, task.batch_size)
    return Chunk(
        X=_allocate_aligned((*shape, task.compiled_network.n_inputs), task.dtype),
        y=_allocate_aligned((*shape, task.y.shape[1]), task.dtype),
        share=_allocate_aligned(shape, task.dtype),
        seed=_allocate_aligned((*shape[:2], 2), np.int32),
        n_steps=0,
    )


def gather(tasks: list[TrainingTask], plans: list[EpochPlan], steps: slice, memory: Chunk) -> Chunk:
    """Collect the rows of some steps of each task in a chunk's memory."""
    n_steps = steps.stop - steps.start
    for member, (own, plan) in enumerate(zip(tasks, plans, strict=True)):
        rows = plan.rows[steps]
        take_rows(own.compiled_rows, rows, memory.X[:n_steps, member])
        take_rows(own.y, rows, memory.y[:n_steps, member])
        memory.share[:n_steps, member] = plan.share[steps]
        memory.seed[:n_steps, member] = plan.seed[steps]
    return replace(memory, n_steps=n_steps)


def _allocate_aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return uninitialised memory that starts where XLA can read it without a copy."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def take_rows(source: Any, rows: NDArray[np.intp], out: NDArray[np.floating]) -> None:
    """Copy the rows of an array, a memory map or a CSR array; `out` is (*rows.shape, columns)."""
    if out.flags.c_contiguous and source.dtype == out.dtype:
        _take_in_place(source, rows.ravel(), out.reshape(-1, out.shape[-1]))
    elif issparse(source):
        out[...] = source[rows.ravel()].toarray().reshape(out.shape)
    else:
        convert_rows(source[rows], out)


def _take_in_place(source: Any, rows: NDArray[np.intp], out: NDArray[np.floating]) -> None:
    if issparse(source):
        source[rows].toarray(out=out)
    else:
        # mode="clip" lets NumPy write straight into `out`; no row number is out of range.
        np.take(source, rows, axis=0, out=out, mode="clip")


def require_convertible(source: Any, dtype: str) -> None:
    """Raise the error of `convert_rows` at once, for those who cannot raise it as they go."""
    if issparse(source) or source.dtype == dtype:
        return
    for start in range(0, len(source), _ROWS_LOOKED_AT):
        rows = source[start : start + _ROWS_LOOKED_AT]
        convert_rows(rows, np.empty(rows.shape, dtype))


def convert_rows(rows: NDArray[Any], out: NDArray[np.floating]) -> None:
    """Copy rows into another dtype; one too large for it is an error.

    Only memory maps come in another one, of which nobody has looked at every number.
    """
    try:
        with np.errstate(over="raise"):
            out[...] = rows
    except FloatingPointError as error:
        raise ValueError(
            f"X and X_val must be numbers that {out.dtype} can hold. Got a memory map with values "
            f"up to {np.abs(rows).max():.3g}. Scale them down, or set dtype='float64'."
        ) from error
