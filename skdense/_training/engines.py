"""Which engine trains a task, and which tasks train together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from functools import partial

import numpy as np

from .._backend.warnings import SlowEngineWarning, warn_caller
from .._networks.forward import forward
from .batches import take_rows
from .borrowing import borrowed
from .callbacks import why_not_between_epochs
from .gradients import require_gradients
from .initializers import starting_weights
from .keras_engine import train_with_keras
from .loop import train_compiled
from .losses import why_not_per_row
from .metrics import require_per_row
from .networks import optimizer_owner, program_spec
from .program import has_room_for
from .room import in_memory
from .task import TrainingResult, TrainingTask

# Enough rows to see whether one row's loss depends on another.
_TRIAL_ROWS = 3


def train(tasks: list[TrainingTask]) -> list[TrainingResult]:
    """Train networks; those that one program can train as a batch run together.

    Returns
    -------
    list of TrainingResult
        In the order of the tasks.

    Raises
    ------
    ValueError
        If a training loss becomes NaN or infinite, or a task with ``engine="compiled"``
        needs Keras.
    MemoryError
        If there is no room for a network or a batch.
    """
    with in_memory(tasks), borrowed(callback for task in tasks for callback in task.callbacks):
        return _train(tasks)


def _train(tasks: list[TrainingTask]) -> list[TrainingResult]:
    for task in tasks:
        columns = task.y.shape[1], task.network.n_outputs
        require_per_row(task.metrics, *columns, partial(_trial, task))
        require_gradients(task)
    results: dict[int, TrainingResult] = {}
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for number, task in enumerate(tasks):
        if _engine(task) == "keras":
            results[number] = train_with_keras(task)
        else:
            groups[_group(task, number)].append(number)
    for numbers in groups.values():
        trained = train_compiled([tasks[number] for number in numbers])
        results.update(zip(numbers, trained, strict=True))
    return [results[number] for number in range(len(tasks))]


def _group(task: TrainingTask, number: int) -> Hashable:
    """Return what the tasks have in common that train as one batch; some train alone."""
    if task.acts_between_epochs:
        return number
    state = task.resumed_optimizer(optimizer_owner(task))
    n_steps = state.n_steps if state else 0
    return program_spec(task), task.epoch_numbers, task.steps_per_epoch, n_steps


def _engine(task: TrainingTask) -> str:
    if task.engine == "keras":
        return "keras"
    reason = _why_not_compiled(task)
    if reason is None:
        return "compiled"
    if task.engine == "compiled":
        raise ValueError(
            f"engine='compiled' needs a training that the compiled program covers. Got one "
            f"where {reason}. Use engine='auto' or engine='keras'."
        )
    warn_caller(
        f"Training runs on the Keras engine, many times slower, because {reason}. Set "
        "engine='keras' to choose it without this warning.",
        SlowEngineWarning,
    )
    return "keras"


def _why_not_compiled(task: TrainingTask) -> str | None:
    optimizer = task.optimizer
    if optimizer.keras_only:
        return f"the optimizer sets {', '.join(optimizer.keras_only)}"
    if optimizer.rule is None:
        return f"the optimizer {optimizer.keras.class_name} has no compiled update rule"
    reason = why_not_between_epochs(task.callbacks)
    reason = reason or why_not_per_row(task.loss, partial(_trial, task))
    if reason is None and not has_room_for(program_spec(task)):
        reason = (
            "this process holds as much compiled code as the system allows (vm.max_map_count), "
            "for which only a new process has room"
        )
    return reason


def _trial(task: TrainingTask) -> tuple[np.ndarray, np.ndarray]:
    """Return targets of a few rows, and what the untrained network answers to them."""
    rows = np.arange(min(_TRIAL_ROWS, task.n_samples))
    X = np.empty((len(rows), task.network.n_inputs), task.dtype)
    take_rows(task.X, rows, X)
    return task.y[rows].astype(task.dtype), forward(task.network, starting_weights(task), X)
