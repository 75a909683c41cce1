"""What the other parameters mean: each is checked further and resolved by itself."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .._backend.keras_objects import LossObject, find_exclusions_from_decay, loss_name
from .._backend.loading import load_keras
from .._training.metrics import Accuracy, Metric, metric_function
from .._training.optimizers import OptimizerSettings, optimizer_settings
from .constraints import as_float, require_hashable
from .hidden_layers import is_single_value
from .keras_configuration import describe_or_fail
from .known_names import list_names, name_unknown, suggest_names
from .remembering import remember_plain

# Rows up to which each automatic batch size holds: large enough to keep the
# matrix products efficient, small enough for some hundreds of steps in the default 100 epochs.
_BATCH_SIZES = ((1_024, 64), (8_192, 128), (30_000, 256), (100_000, 512))
_LARGEST_BATCH_SIZE = 1_024
# Three times as many lower the loss on real tables by one in a hundred.
_ROWS_SEEN, _FEWEST_EPOCHS, _MOST_EPOCHS = 512_000, 32, 128
# Of Adam, with a schedule that leads to 0; by its mean rank on eleven real tables, of .001 to .01.
_RATE_OF_ADAM = 0.005
# As in RealMLP (arXiv 2407.04491): under a high rate Adam has to forget large gradients soon.
_BETA_2 = 0.95


def draw_seed(random_state: Any) -> int:
    """Return the seed of all that a training draws."""
    seed: int = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return seed


# Columns of the history, with "val_" in front, that no metric may be called.
_WATCHED = ("loss", "score", "calibrated_loss")


@remember_plain
def resolve_loss(loss: Any) -> Any:
    """Check a loss; return its Keras name, a `LossObject`, or the callable itself."""
    keras = load_keras()
    if isinstance(loss, keras.losses.Loss):
        if loss.reduction in (None, "none"):
            raise ValueError(
                "loss must have a reduction, of a batch to one number. Got "
                f"{loss.reduction!r}. Leave it at Keras' default, 'sum_over_batch_size'."
            )
        return LossObject.of(loss)
    require_hashable("loss", loss)
    if isinstance(loss, str) and loss != "auto":
        try:
            keras.losses.get(loss)
        except ValueError:
            known = [*list_names(keras.losses), "auto", "pinball"]
            raise name_unknown("loss", loss, known) from None
    return loss


def resolve_metrics(metrics: Any, accuracy: Accuracy | None) -> tuple[Metric, ...]:
    """Return the metrics by their names.

    Parameters
    ----------
    metrics : str, callable, sequence of them, or None
    accuracy : Accuracy or None
        What "accuracy" means for the target; None where it means nothing.
    """
    if metrics is None:
        return ()
    given = [metrics] if is_single_value(metrics) else list(metrics)
    resolved = [_metric(metric, accuracy) for metric in given]
    names = [metric.name for metric in resolved]
    if len({*_WATCHED, *names}) < len(names) + len(_WATCHED):
        raise ValueError(
            f"metrics must be of different names, and none of {', '.join(_WATCHED)}. Got {names}."
        )
    return tuple(resolved)


def _metric(metric: Any, accuracy: Accuracy | None) -> Metric:
    if metric in ("accuracy", "acc"):
        if accuracy is None:
            raise ValueError(f"metrics must be for numbers here, such as 'mae'. Got {metric!r}.")
        return Metric(str(metric), accuracy)
    if isinstance(metric, str) and loss_name(metric) == "binary_accuracy":
        return Metric(str(metric), Accuracy("binary"))
    function = metric_function(metric) if isinstance(metric, str) else metric
    if not callable(function) or isinstance(function, type) or hasattr(function, "update_state"):
        keras = load_keras()
        known = [
            name for name in list_names(keras.metrics) if name.islower() and metric_function(name)
        ]
        raise ValueError(
            "metrics must be 'accuracy', names of functions in keras.metrics, or functions of "
            f"(y_true, y_pred) that give one number for each row. Got {metric!r}."
            f"{suggest_names(metric, ['accuracy', *known])} Known: {', '.join(known)}. For others, "
            "such as the AUC, use a scikit-learn scorer as `scoring`."
        )
    require_hashable("metrics", function)
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
    if name is None:
        raise ValueError(f"metrics must have a __name__, for the history. Got {metric!r}.")
    return Metric(str(name), function)


def resolve_callbacks(callbacks: Any) -> tuple[Any, ...]:
    """Return Keras callbacks as they are given, as a tuple."""
    if callbacks is None:
        return ()
    keras = load_keras()
    given = tuple(callbacks) if isinstance(callbacks, list | tuple) else (callbacks,)
    for callback in given:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                "callbacks must be keras.callbacks.Callback objects. Got "
                f"{callback!r}. scikit-learn's own callbacks go to set_callbacks()."
            )
    return given


@remember_plain
def resolve_initializer(initializer: Any) -> Any:
    """Check an initializer; return it."""
    keras = load_keras()
    if not isinstance(initializer, str):
        return initializer
    known = list_names(keras.initializers, keras.initializers.Initializer)
    if initializer not in known and keras.saving.get_registered_object(initializer) is None:
        raise name_unknown("kernel_initializer", initializer, known)
    return initializer


@remember_plain
def resolve_optimizer(
    optimizer: Any, learning_rate: Any, weight_decay: float | None, clipnorm: float | None
) -> OptimizerSettings:
    """Check optimizer and learning rate, and apply the estimator's settings to it."""
    keras = load_keras()
    if isinstance(optimizer, str):
        if optimizer.lower() not in _optimizer_names():
            raise name_unknown("optimizer", optimizer, _optimizer_names())
    elif isinstance(optimizer, keras.optimizers.Optimizer):
        _require_plain_optimizer(optimizer)
        optimizer = describe_or_fail("optimizer", optimizer)
    else:
        raise ValueError(
            "optimizer must be a Keras name or a keras.optimizers.Optimizer instance. "
            f"Got {optimizer!r}."
        )
    if isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        learning_rate = describe_or_fail("learning_rate", learning_rate)
    elif learning_rate is not None and not _is_float32(learning_rate):
        raise ValueError(
            "learning_rate must be a positive number that float32 holds, a "
            "keras.optimizers.schedules.LearningRateSchedule or None. "
            f"Got {learning_rate!r}."
        )
    return optimizer_settings(optimizer, learning_rate, weight_decay, clipnorm)


def settle_optimizer_and_rate(parameters: dict[str, Any], *, is_stream: bool) -> dict[str, Any]:
    """Return the parameters with an optimizer, its rate and a schedule in place of "auto".

    A schedule needs to know where a training ends.
    """
    optimizer, rate = parameters["optimizer"], parameters["learning_rate"]
    schedule, is_auto = parameters["learning_rate_schedule"], isinstance(rate, str)
    if isinstance(optimizer, str) and optimizer == "auto":
        optimizer = load_keras().optimizers.Adam(beta_2=_BETA_2)
    if schedule == "auto":
        goes_on = is_stream or parameters["warm_start"] or parameters["early_stopping"]
        settings = resolve_optimizer(optimizer, None if is_auto else rate, None, None)
        schedule = "cosine" if not goes_on and isinstance(settings.learning_rate, float) else None
    if is_auto:
        is_plain = schedule is not None and parameters["optimizer"] in ("adam", "auto")
        rate = _RATE_OF_ADAM if is_plain else None
    settled = {"optimizer": optimizer, "learning_rate": rate, "learning_rate_schedule": schedule}
    return parameters | settled


@cache
def _optimizer_names() -> tuple[str, ...]:
    """Return the names of optimizers that wrap no other one."""
    keras = load_keras()
    names = list_names(keras.optimizers, keras.optimizers.Optimizer)
    signatures = {name: inspect.signature(getattr(keras.optimizers, name)) for name in names}
    return tuple(n.lower() for n, made in signatures.items() if "learning_rate" in made.parameters)


def _require_plain_optimizer(optimizer: Any) -> None:
    if "learning_rate" not in optimizer.get_config():
        raise ValueError(
            "optimizer must have a learning rate of its own. Got "
            f"{type(optimizer).__name__}, which wraps another. Give the inner one."
        )
    if find_exclusions_from_decay(optimizer):
        raise ValueError(
            "optimizer must describe itself by get_config, which knows no weights excluded from "
            "weight decay. Got one after exclude_from_weight_decay(). Leave that call out."
        )


def _is_float32(number: Any) -> bool:
    bounds = np.finfo(np.float32)
    return float(bounds.tiny) <= as_float(number) <= float(bounds.max)


def resolve_batch_size(batch_size: int | str, n_samples: int, *, is_chunk: bool = False) -> int:
    """Return the rows in a batch.

    A batch size above the number of rows is cut to the next power of two, which saves memory
    and still lets folds of slightly different sizes share a program. Chunks of a stream, the next
    of which may have more rows, share one up to the largest automatic size.
    """
    if batch_size == "auto":
        fitting = (size for most, size in _BATCH_SIZES if n_samples <= most)
        return next(fitting, _LARGEST_BATCH_SIZE)
    fewest = _LARGEST_BATCH_SIZE if is_chunk else _BATCH_SIZES[0][1]
    enough = max(fewest, 1 << (n_samples - 1).bit_length())
    return min(int(batch_size), enough)


def resolve_epochs(epochs: int | str, n_samples: int) -> int:
    """Return the passes over the data; "auto" sees as many rows, however many there are."""
    if epochs != "auto":
        return int(epochs)
    return min(max(round(_ROWS_SEEN / n_samples), _FEWEST_EPOCHS), _MOST_EPOCHS)


def resolve_dtype(dtype: str, data: np.dtype, n_samples: int, batch_size: int) -> str:
    """Return the dtype to compute in.

    Float64 costs nothing on tiny data, and makes weighted and repeated rows agree; beyond one
    batch, float32 is up to three times faster.
    """
    if dtype != "auto":
        return dtype
    return "float64" if data == np.float64 and n_samples <= batch_size else "float32"
