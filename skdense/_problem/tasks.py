"""An estimator's parameters and its data, put together as a training task."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backend.keras_objects import ActivationFunction
from .._networks.network import Network, build_network
from .._training.early_stopping import EarlyStopping
from .._training.optimizers import OptimizerSettings
from .._training.task import TrainingState, TrainingTask, ValidationData
from . import parameters
from .caller import is_one_of_many_fits
from .constraints import as_float
from .data_checks import cast, is_single
from .hidden_layers import resolve_hidden_layers, resolve_output_activation
from .output_layer import Head
from .rows import Rows
from .targets import Target
from .validation_score import watched_score
from .warm_start import Memory

Array = NDArray[Any]


def make_task(
    estimator: Any,
    target: Target,
    head: Head,
    rows: Rows,
    held_out: Rows | None,
    goes_on: Callable[[Network], TrainingState] | None,
    *,
    seed: int,
    epochs: int,
    is_chunk: bool,
) -> TrainingTask:
    """Resolve every parameter for this data.

    Parameters
    ----------
    estimator
        Its constructor parameters are read, and its copy is scored.
    target : Target
    head : Head
    rows, held_out : Rows
        To train on, and to watch.
    goes_on : callable or None
        Returns where a training of the network goes on; None starts anew.
    seed, epochs : int
    is_chunk : bool
        Whether the rows are a chunk of a stream, of which the first one's automatic choices hold
        for all.
    """
    hidden = resolve_hidden_layers(
        estimator.units, estimator.depth, estimator.activation, estimator.dropout
    )
    memory = estimator._memory if goes_on and is_chunk else None
    batch_size, dtype = _batch_size_and_dtype(estimator, rows, memory, is_chunk=is_chunk)
    network = build_network(
        rows.X.shape[1], hidden, target.n_units, head.activation, estimator.batch_normalization
    )
    start = goes_on(network) if goes_on else None
    score = watched_score(estimator, held_out)
    return TrainingTask(
        network=network,
        X=cast(rows.X, dtype, "X"),
        y=cast(target.encode(rows.y), dtype, "y"),
        sample_weight=rows.sample_weight,
        rows=rows.index if len(rows) < rows.X.shape[0] else None,
        loss=head.loss,
        kernel_initializer=parameters.resolve_initializer(estimator.kernel_initializer),
        optimizer=resolve_optimizer(estimator),
        l1=float(estimator.l1),
        l2=float(estimator.l2),
        batch_size=batch_size,
        epochs=epochs,
        shuffle=bool(estimator.shuffle),
        dtype=dtype,
        seed=seed,
        verbose=int(estimator.verbose),
        engine=estimator.engine,
        metrics=parameters.resolve_metrics(estimator.metrics, target.accuracy),
        validation=None if held_out is None else _validation_data(held_out, target, dtype),
        score=score,
        stopping=_stopping(estimator, score is not None) if held_out else None,
        callbacks=parameters.resolve_callbacks(estimator.callbacks),
        output_scale=target.output_scale,
        start=start,
        survives_interrupt=not is_one_of_many_fits(),
    )


def _batch_size_and_dtype(
    estimator: Any, rows: Rows, memory: Memory | None, *, is_chunk: bool
) -> tuple[int, str]:
    batch_size, dtype = estimator.batch_size, estimator.dtype
    if memory is not None:
        batch_size = memory.batch_size or "auto" if batch_size == "auto" else batch_size
        dtype = memory.dtype if dtype == "auto" else dtype
    batch_size = parameters.resolve_batch_size(batch_size, len(rows), is_chunk=is_chunk)
    return batch_size, parameters.resolve_dtype(dtype, rows.X.dtype, len(rows), batch_size)


def precision_to_read(estimator: Any, X: Any, sample_weight: Any, share: float | None) -> str:
    """Return what numbers become that are neither in float32 nor in float64.

    Float64 wherever the rows of positive weight that are not held out may fit in one batch: the
    same numbers train alike, whatever they come in. Of more rows float32, in half the memory.
    """
    if estimator.dtype != "auto":
        return str(estimator.dtype)
    if is_single(X):
        return "float32"
    n_rows = _n_weighted(X, sample_weight, getattr(estimator, "class_weight", None))
    n_rows = max(1, n_rows - math.ceil((share or 0) * n_rows))
    batch_size = parameters.resolve_batch_size(estimator.batch_size, n_rows)
    return parameters.resolve_dtype("auto", np.dtype(np.float64), n_rows, batch_size)


def precision_of_chunk(estimator: Any, X: Any, sample_weight: Any) -> str:
    """Return the same for a chunk of a stream, whose first one settles it for all."""
    if estimator.dtype == "auto" and estimator.__sklearn_is_fitted__():
        return str(estimator._memory.dtype)
    return precision_to_read(estimator, X, sample_weight, None)


def _n_weighted(X: Any, sample_weight: Any, class_weight: Any) -> int:
    """Return how many rows have a positive weight, at least."""
    if isinstance(class_weight, dict) and 0 in map(as_float, class_weight.values()):
        return 1
    if sample_weight is not None and not isinstance(sample_weight, Real):
        with contextlib.suppress(TypeError, ValueError):  # refused later
            return int(np.count_nonzero(np.asarray(sample_weight)))
    shape = getattr(X, "shape", ())
    return int(shape[0]) if shape else len(X) if isinstance(X, list | tuple) else 1


def _validation_data(rows: Rows, target: Target, dtype: str) -> ValidationData:
    rows = rows.weighing(rows.mean_weight())
    return ValidationData(
        X=cast(rows.inputs, dtype, "X_val"),
        y=np.asarray(cast(target.encode(rows.targets, "y_val"), dtype, "y_val")),
        sample_weight=rows.weights,
    )


def _stopping(estimator: Any, greater_is_better: bool) -> EarlyStopping | None:
    if not estimator.early_stopping:
        return None
    return EarlyStopping(greater_is_better, int(estimator.patience), float(estimator.min_delta))


def resolve_output(estimator: Any) -> tuple[ActivationFunction, Any]:
    """Return the estimator's output activation and loss, checked; both may be "auto"."""
    activation = resolve_output_activation(estimator.output_activation)
    return activation, parameters.resolve_loss(estimator.loss)


def resolve_optimizer(estimator: Any) -> OptimizerSettings:
    """Return the estimator's optimizer with its learning rate, decay and clipping."""
    return parameters.resolve_optimizer(
        estimator.optimizer, estimator.learning_rate, estimator.weight_decay, estimator.clipnorm
    )
