"""A problem as a training task: arrays, numbers and functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from .._training.early_stopping import EarlyStopping
from .._training.optimizers import OptimizerSettings
from .._training.task import EpochListener, Members, TrainingState, TrainingTask, ValidationData
from . import parameters as meanings
from .calibration.choice import make_calibrated_loss
from .caller import is_one_of_many_fits
from .data_checks import cast
from .infinite import name_infinite_columns
from .problem import Problem
from .rows import Rows
from .targets.choice import Target


def make_tasks(
    problem: Problem,
    starts: list[TrainingState] | None,
    score: Callable[[Members], float] | None,
    *,
    epochs: int,
    listener: EpochListener | None = None,
    has_callbacks: bool = True,
) -> list[TrainingTask]:
    """Resolve what training needs of a problem, for each of its networks.

    Parameters
    ----------
    problem : Problem
    starts : list of TrainingState or None
        Where each goes on.
    score : callable or None
        Of weights, to be watched in place of the validation loss.
    epochs : int
    listener : EpochListener or None
    has_callbacks : bool
        Whether the callbacks among the parameters see this training.
    """
    given, rows, target, dtype = problem.parameters, problem.rows, problem.target, problem.dtype
    task = TrainingTask(
        network=problem.network,
        X=_cast_rows(rows.X, problem, "X"),
        y=cast(target.encode(rows.y), dtype, "y"),
        sample_weight=rows.sample_weight,
        rows=rows.index if len(rows) < rows.X.shape[0] else None,
        loss=problem.head.loss,
        kernel_initializer=meanings.resolve_initializer(given["kernel_initializer"]),
        optimizer=settle_optimizer(given),
        numbers={n: float(v) for n, v in given.items() if isinstance(v, Real)} | _penalties(given),
        batch_size=problem.batch_size,
        epochs=epochs,
        shuffle=bool(given["shuffle"]),
        dtype=dtype,
        seed=problem.seed,
        verbose=int(given["verbose"]),
        engine=given["engine"],
        metrics=meanings.resolve_metrics(given["metrics"], target.accuracy),
        validation=_encode_held_out(problem, problem.held_out) if problem.held_out else None,
        score=score,
        calibrated_loss=_make_watched_loss(problem),
        stopping=_make_stopping(problem, greater_is_better=score is not None),
        callbacks=meanings.resolve_callbacks(given["callbacks"] if has_callbacks else None),
        output_scale=target.output_scale,
        listener=listener,
        schedule=given["learning_rate_schedule"],
        schedule_epochs=problem.epochs,
        survives_interrupt=not is_one_of_many_fits(),
        ensemble=0 if problem.n_members > 1 else None,
        outputs_are=_say_what_outputs_are(target),
    )
    tasks = [
        replace(task, member=member, start=starts[member] if starts else None)
        for member in range(problem.n_members)
    ]
    if not problem.folds:
        return tasks
    return [
        replace(task, rows=used.index, validation=_encode_held_out(problem, held))
        for task, (used, held) in zip(tasks, problem.folds, strict=True)
    ]


def _penalties(given: dict[str, Any]) -> dict[str, float]:
    """Return the penalties as Keras has them, which rounds them on their way to float64."""
    with np.errstate(over="ignore", under="ignore"):
        return {name: float(np.float32(given[name])) for name in ("l1", "l2")}


def _say_what_outputs_are(target: Target) -> str:
    link = getattr(target, "link", "means")
    return link if link in ("logits", "binary logits", "log-probabilities") else "means"


def _make_watched_loss(problem: Problem) -> Callable[..., float] | None:
    watches_it = problem.is_watched and problem.parameters["scoring"] == "calibrated_loss"
    return make_calibrated_loss(problem) if watches_it else None


def _encode_held_out(problem: Problem, held_out: Rows) -> ValidationData:
    rows = held_out.weighing(held_out.mean_weight())
    y = problem.target.encode(rows.targets, "y_val")
    return ValidationData(
        X=_cast_rows(rows.inputs, problem, "X_val"),
        y=np.asarray(cast(y, problem.dtype, "y_val")),
        sample_weight=rows.weights,
    )


def _cast_rows(X: Any, problem: Problem, name: str) -> Any:
    # Columns of the matrix that a table becomes are not those of the table.
    names = problem.feature_names if problem.table is None else None
    with name_infinite_columns(X, name, names):
        return cast(X, problem.dtype, name)


def _make_stopping(problem: Problem, *, greater_is_better: bool) -> EarlyStopping | None:
    given = problem.parameters
    if not (problem.is_watched and given["early_stopping"]):
        return None
    patience = None if given["patience"] is None else int(given["patience"])
    return EarlyStopping(greater_is_better, patience, float(given["min_delta"]))


def settle_optimizer(given: dict[str, Any]) -> OptimizerSettings:
    """Return the optimizer with its learning rate, decay and clipping."""
    names = "optimizer", "learning_rate", "weight_decay", "clipnorm"
    settings = meanings.resolve_optimizer(*(given[name] for name in names))
    schedule = given.get("learning_rate_schedule")
    if schedule is not None and not isinstance(settings.learning_rate, float):
        raise ValueError(
            "learning_rate_schedule needs a learning_rate that is a number. Got "
            f"learning_rate_schedule={schedule!r} and a Keras schedule, "
            f"{settings.learning_rate.class_name}. Leave one of them out."
        )
    return settings
