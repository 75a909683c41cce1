"""Which engine trains a task, and which tasks train together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import replace
from functools import partial

import numpy as np

from .._backend.global_state import require_default_state
from .._backend.warnings import SlowEngineWarning, warn_caller
from .._networks.forward import forward
from .batches import take_rows
from .borrowing import borrow
from .callbacks import why_not_between_epochs
from .gradients import require_gradients
from .initializers import draw_or_resume_weights
from .keras_engine import train_ensemble_with_keras, train_with_keras
from .losses import why_not_per_row
from .metrics import require_per_row
from .networks import optimizer_owner, specify_program
from .program import has_room_for
from .room import in_memory
from .runner import train_compiled
from .task import Outcome, TrainingFailure, TrainingTask
from .together import trainer

# Enough rows to see whether one row's loss depends on another.
_TRIAL_ROWS = 3


def train(tasks: list[TrainingTask]) -> list[Outcome]:
    """Train networks as `train_now` does, perhaps beside those of other fits."""
    require_default_state(tasks[0].dtype)
    return (trainer.get() or train_now)(tasks)


def train_now(tasks: list[TrainingTask]) -> list[Outcome]:
    """Train networks; those that one program can train as a batch run together.

    Returns
    -------
    list of TrainingResult or TrainingFailure
        In the order of the tasks. A ValueError where a training loss becomes NaN or infinite, or a
        task with ``engine="compiled"`` needs Keras; a MemoryError where there is no room for a
        network or a batch.
    """
    # Of a failure's traceback, the frames lead to those of their callers, such as this one, which
    # must hold no failure in turn when it returns: the data of failed fits would stay in memory.
    outcomes: dict[int, Outcome] = {}
    groups: dict[Hashable, list[int]] = defaultdict(list)
    with borrow(callback for task in tasks for callback in task.callbacks):
        for number, task in enumerate(tasks):
            found = find_group(task, number)
            if isinstance(found, TrainingFailure):
                outcomes[number] = found
            else:
                groups[found].append(number)
            del found
        _require_whole_ensembles(tasks, groups)
        for numbers in groups.values():
            own = [tasks[number] for number in numbers]
            outcomes.update(zip(numbers, _train_group(own), strict=True))
    return [outcomes.pop(number) for number in range(len(tasks))]


def find_program(tasks: list[TrainingTask]) -> Hashable | None:
    """Return what tasks are compiled for; None where they must train in the caller's thread.

    There train callbacks, scorers and what else is not of this package: it may rely on the
    context of its thread, or change the state of the whole process, as `warnings.catch_warnings`
    does. So do those that Keras trains or that cannot train.
    """
    if any(task.verbose or task.steers_between_epochs or task.score for task in tasks):
        return None
    groups = {find_group(replace(task, ensemble=None), number) for number, task in enumerate(tasks)}
    is_compiled = all(isinstance(group, tuple) for group in groups)
    return frozenset(groups) if is_compiled else None


def find_group(task: TrainingTask, number: int) -> Hashable | TrainingFailure:
    """Return what tasks have in common that train together, or why this one cannot."""
    try:
        with in_memory([task]):
            return _check_and_group(task, number)
    except Exception as error:
        return TrainingFailure(error)


def _require_whole_ensembles(tasks: list[TrainingTask], groups: dict[Hashable, list[int]]) -> None:
    """Raise ValueError unless networks that are watched together train together."""
    seen: set[Hashable] = set()
    for numbers in groups.values():
        own = {tasks[number].ensemble for number in numbers} - {None}
        if own & seen:
            raise ValueError(
                "Tasks of one ensemble must train in one program, for as many steps. Got several."
            )
        seen |= own


def _train_group(tasks: list[TrainingTask]) -> list[Outcome]:
    """Train tasks of one group; what stops all of them is the failure of each."""
    try:
        with in_memory(tasks):
            if _choose_engine(tasks) == "compiled":
                return train_compiled(tasks)
            if tasks[0].ensemble is not None:
                return [*train_ensemble_with_keras(tasks)]
    except Exception as error:
        return [TrainingFailure(error)] * len(tasks)
    return [_train_alone_with_keras(task) for task in tasks]


def _train_alone_with_keras(task: TrainingTask) -> Outcome:
    try:
        with in_memory([task]):
            return train_with_keras(task)
    except Exception as error:
        return TrainingFailure(error)


def _check_and_group(task: TrainingTask, number: int) -> Hashable:
    """Check a task; returns what those have in common that train as one batch."""
    columns = task.y.shape[1], task.network.n_outputs
    require_per_row(task.metrics, *columns, partial(_answer_a_few_rows, task))
    require_gradients(task)
    if task.engine == "keras" or _why_not_compiled(task) is not None:
        return number if task.ensemble is None else ("ensemble", task.ensemble)
    if task.steers_between_epochs or (task.verbose and task.ensemble is None):
        return number
    state = task.resumed_optimizer(optimizer_owner(task))
    n_steps = state.n_steps if state else 0
    looks = task.acts_between_epochs, task.needs_snapshots
    return specify_program(task), task.epoch_numbers, task.steps_per_epoch, n_steps, looks


def _choose_engine(tasks: list[TrainingTask]) -> str:
    """Choose the engine of a group, of which all members have the same reasons."""
    task = tasks[0]
    if task.engine == "keras":
        return "keras"
    reason = _why_not_compiled(task)
    if reason is None and not has_room_for(specify_program(task, len(tasks))):
        reason = (
            "this process holds as much compiled code as the system allows (vm.max_map_count), "
            "for which only a new process has room"
        )
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
    return why_not_between_epochs(task.callbacks) or why_not_per_row(
        task.loss, partial(_answer_a_few_rows, task)
    )


def _answer_a_few_rows(task: TrainingTask) -> tuple[np.ndarray, np.ndarray]:
    """Return targets of a few rows, and what the untrained network answers to them."""
    rows = np.arange(min(_TRIAL_ROWS, task.n_samples))
    X = np.empty((len(rows), task.network.n_inputs), task.dtype)
    take_rows(task.X, rows, X)
    return task.y[rows].astype(task.dtype), forward(task.network, draw_or_resume_weights(task), X)
