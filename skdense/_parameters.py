"""Constructor parameters: what each may be, and what they amount to together."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

# The table of constraints is scikit-learn's mechanism for its own estimators, kept private
# there; its messages are the ones users know. Imported here and nowhere else.
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from . import _tensorflow
from ._activations import NUMPY_ACTIVATIONS
from ._keras_objects import (
    Activation,
    KerasObject,
    LossObject,
    activation_function,
    as_activation,
    exclusions_from_decay,
    loss_name,
)
from ._network import HiddenLayer
from .training import Accuracy, Metric, OptimizerSettings, metric_function, optimizer_settings

_NON_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_LARGEST_COUNT = int(np.iinfo(np.int64).max)
_COUNT = Interval(Integral, 1, _LARGEST_COUNT, closed="both")

CONSTRAINTS: dict[str, list[Any]] = {
    "units": [_COUNT, "array-like"],
    "depth": [Interval(Integral, 0, None, closed="left"), None],
    "activation": [str, callable, "array-like"],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "batch_normalization": ["boolean"],
    "kernel_initializer": [str, callable],
    "l1": [_NON_NEGATIVE],
    "l2": [_NON_NEGATIVE],
    "output_activation": [str, callable],
    "loss": [str, callable],
    "metrics": [str, callable, "array-like", None],
    "optimizer": [str, object],
    "learning_rate": [_POSITIVE, callable, None],
    "weight_decay": [_NON_NEGATIVE, None],
    "clipnorm": [_POSITIVE, None],
    "batch_size": [StrOptions({"auto"}), _COUNT],
    "epochs": [_COUNT],
    "shuffle": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
    "scoring": [str, callable, None],
    "patience": [_COUNT],
    "min_delta": [_NON_NEGATIVE],
    "refit_full": ["boolean"],
    "standardize_target": ["boolean"],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "warm_start": ["boolean"],
    "callbacks": [object],
    "dtype": [StrOptions({"auto", "float32", "float64"})],
    "verbose": [Interval(Integral, 0, 2, closed="both")],
    "random_state": ["random_state"],
    "engine": [StrOptions({"auto", "compiled", "keras"})],
}

# Rows up to which each automatic batch size holds: large enough to keep the
# matrix products efficient, small enough for some hundreds of steps in the default 100 epochs.
_BATCH_SIZES = ((1_024, 64), (8_192, 128), (30_000, 256), (100_000, 512))
_LARGEST_BATCH_SIZE = 1_024


def checked_parameters(estimator: Any) -> dict[str, Any]:
    """Return an estimator's parameters; scikit-learn's error for one out of its domain.

    As attributes, since the constructor of a subclass may take more, fewer or other parameters.
    """
    parameters = {n: getattr(estimator, n) for n in CONSTRAINTS if hasattr(estimator, n)}
    for name, value in parameters.items():
        if isinstance(value, Real) and math.isinf(as_float(value)) and abs(value) != math.inf:
            raise ValueError(
                f"The {name!r} parameter of {type(estimator).__name__} must be a number that "
                "float64 can hold. Got one beyond 1e308."
            )
    validate_parameter_constraints(CONSTRAINTS, parameters, type(estimator).__name__)
    return parameters


def as_float(value: Any) -> float:
    """Return a number as a float, infinite where it is too large for one; NaN for no number."""
    try:
        return float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def draw_seed(random_state: Any) -> int:
    """Return the seed of all that a training draws."""
    seed: int = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return seed


def resolve_hidden_layers(
    units: Any, depth: int | None, activation: Any, dropout: Any
) -> list[HiddenLayer]:
    """Write out the hidden layers.

    With units=128, depth=None gives widths [128, 128], depth=1 [128] and depth=0 none, a
    linear model. With units=(64, 32) the depth is the sequence's length.
    """
    if _is_single(units):
        n_layers = 2 if depth is None else int(depth)
    else:
        units = list(units)
        n_layers = len(units)
        if depth is not None and depth != n_layers:
            raise ValueError(
                f"depth must agree with the sequence given as units. Got depth={depth} and "
                f"{n_layers} widths, units={units}. Leave depth=None, or give one width."
            )
    widths = _per_layer("units", units, n_layers, _require_width)
    activations = _per_layer("activation", activation, n_layers, _hidden_activation)
    rates = _per_layer("dropout", dropout, n_layers, _require_rate)
    return [HiddenLayer(*layer) for layer in zip(widths, activations, rates, strict=True)]


def _per_layer(name: str, value: Any, n_layers: int, convert: Callable[[Any], Any]) -> list[Any]:
    """Return one converted value for each hidden layer, from one for all or a sequence."""
    if _is_single(value):
        return [convert(value)] * n_layers
    items = list(value)
    if len(items) != n_layers:
        raise ValueError(
            f"{name} must be one value for all hidden layers or one per hidden layer. Got "
            f"{len(items)} values, {items}, for {n_layers} hidden layers."
        )
    return [convert(item) for item in items]


def _is_single(value: Any) -> bool:
    if isinstance(value, list | tuple):  # perhaps of lists of several lengths
        return False
    return isinstance(value, str) or callable(value) or np.ndim(value) == 0


def _require_width(units: Any) -> int:
    if not isinstance(units, Integral) or isinstance(units, bool | np.bool_) or units < 1:
        raise ValueError(f"units must be whole numbers of at least 1. Got {units!r}.")
    if int(units) > _LARGEST_COUNT:
        raise ValueError(f"units must be whole numbers up to {_LARGEST_COUNT}. Got a larger one.")
    return int(units)


def _require_rate(rate: Any) -> float:
    if not 0 <= as_float(rate) < 1:
        raise ValueError(f"dropout must be rates of at least 0 and below 1. Got {rate!r}.")
    return float(rate)


def _hidden_activation(activation: Any) -> Activation:
    return resolve_activation("activation", activation)


def resolve_activation(name: str, activation: Any) -> Activation:
    """Check an activation; return its Keras name, configuration, or the callable itself."""
    if hasattr(activation, "get_config"):
        _configured(name, activation)
    resolved = as_activation(activation)
    if not isinstance(resolved, str) and not callable(activation):
        raise ValueError(f"{name} must be a Keras name or a callable. Got {activation!r}.")
    _require_hashable(name, resolved)
    if isinstance(resolved, str) and resolved in NUMPY_ACTIVATIONS:
        return resolved
    try:
        function = activation_function(resolved)
    except ValueError:
        raise _unknown(name, activation, NUMPY_ACTIVATIONS) from None
    _require_elementwise_shape(name, activation, function)
    return resolved


def _require_hashable(name: str, value: Any) -> None:
    try:
        hash(value)
    except TypeError as error:
        raise ValueError(
            f"{name} must be hashable, as compiled programs are kept by it. Got {value!r}: "
            f"{error}. Use a function, or a dataclass with frozen=True."
        ) from error


def resolve_output_activation(activation: Any) -> Activation:
    """Check the output's activation, or leave "auto" for the target to settle."""
    return "auto" if activation == "auto" else resolve_activation("output_activation", activation)


def _require_elementwise_shape(name: str, given: Any, function: Callable[..., Any]) -> None:
    tf, _ = _tensorflow.load()
    try:
        shape = tuple(function(tf.zeros((2, 4))).shape)
    except Exception as error:
        raise ValueError(
            f"{name} must take one array of shape (rows, units) and need no weights of its "
            f"own. Got {given!r}, which failed: {error}"
        ) from error
    if shape != (2, 4):
        raise ValueError(
            f"{name} must keep the shape of its input. Got {given!r}, which turns (2, 4) "
            f"into {shape}."
        )


def resolve_loss(loss: Any) -> Any:
    """Check a loss; return its Keras name, a `LossObject`, or the callable itself."""
    _, keras = _tensorflow.load()
    if isinstance(loss, keras.losses.Loss):
        if loss.reduction in (None, "none"):
            raise ValueError(
                "loss must have a reduction, of a batch to one number. Got "
                f"{loss.reduction!r}. Leave it at Keras' default, 'sum_over_batch_size'."
            )
        return LossObject.of(loss)
    _require_hashable("loss", loss)
    if isinstance(loss, str) and loss != "auto":
        try:
            keras.losses.get(loss)
        except ValueError:
            raise _unknown("loss", loss, _names(keras.losses)) from None
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
    given = [metrics] if _is_single(metrics) else list(metrics)
    resolved = [_metric(metric, accuracy) for metric in given]
    names = [metric.name for metric in resolved]
    if len({"loss", "score", *names}) < len(names) + 2:
        raise ValueError(
            f"metrics must be of different names, and none 'loss' or 'score'. Got {names}."
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
        _, keras = _tensorflow.load()
        known = [name for name in _names(keras.metrics) if name.islower() and metric_function(name)]
        raise ValueError(
            "metrics must be 'accuracy', names of functions in keras.metrics, or functions of "
            f"(y_true, y_pred) that give one number for each row. Got {metric!r}. Known: "
            f"{', '.join(known)}. For others, such as the AUC, use a scikit-learn scorer as "
            "`scoring`."
        )
    _require_hashable("metrics", function)
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
    if name is None:
        raise ValueError(f"metrics must have a __name__, for the history. Got {metric!r}.")
    return Metric(str(name), function)


def resolve_callbacks(callbacks: Any) -> tuple[Any, ...]:
    """Return Keras callbacks as they are given, as a tuple."""
    if callbacks is None:
        return ()
    _, keras = _tensorflow.load()
    given = tuple(callbacks) if isinstance(callbacks, list | tuple) else (callbacks,)
    for callback in given:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                "callbacks must be keras.callbacks.Callback objects. Got "
                f"{callback!r}. scikit-learn's own callbacks go to set_callbacks()."
            )
    return given


def resolve_initializer(initializer: Any) -> Any:
    """Check an initializer; return it."""
    _, keras = _tensorflow.load()
    if not isinstance(initializer, str):
        return initializer
    known = _names(keras.initializers, keras.initializers.Initializer)
    if initializer not in known and keras.saving.get_registered_object(initializer) is None:
        raise _unknown("kernel_initializer", initializer, known)
    return initializer


def resolve_optimizer(
    optimizer: Any, learning_rate: Any, weight_decay: float | None, clipnorm: float | None
) -> OptimizerSettings:
    """Check optimizer and learning rate, and apply the estimator's settings to it."""
    _, keras = _tensorflow.load()
    if isinstance(optimizer, str):
        if optimizer.lower() not in _optimizer_names():
            raise _unknown("optimizer", optimizer, _optimizer_names())
    elif isinstance(optimizer, keras.optimizers.Optimizer):
        _require_plain_optimizer(optimizer)
        optimizer = _configured("optimizer", optimizer)
    else:
        raise ValueError(
            "optimizer must be a Keras name or a keras.optimizers.Optimizer instance. "
            f"Got {optimizer!r}."
        )
    if isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        learning_rate = _configured("learning_rate", learning_rate)
    elif learning_rate is not None and not _is_float32(learning_rate):
        raise ValueError(
            "learning_rate must be a positive number that float32 holds, a "
            "keras.optimizers.schedules.LearningRateSchedule or None. "
            f"Got {learning_rate!r}."
        )
    return optimizer_settings(optimizer, learning_rate, weight_decay, clipnorm)


@cache
def _optimizer_names() -> tuple[str, ...]:
    """Return the names of optimizers that wrap no other one."""
    _, keras = _tensorflow.load()
    names = _names(keras.optimizers, keras.optimizers.Optimizer)
    signatures = {name: inspect.signature(getattr(keras.optimizers, name)) for name in names}
    return tuple(n.lower() for n, made in signatures.items() if "learning_rate" in made.parameters)


def _require_plain_optimizer(optimizer: Any) -> None:
    if "learning_rate" not in optimizer.get_config():
        raise ValueError(
            "optimizer must have a learning rate of its own. Got "
            f"{type(optimizer).__name__}, which wraps another. Give the inner one."
        )
    if exclusions_from_decay(optimizer):
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


def resolve_dtype(dtype: str, data: np.dtype, n_samples: int, batch_size: int) -> str:
    """Return the dtype to compute in.

    Float64 costs nothing on tiny data, and makes weighted and repeated rows agree; beyond one
    batch, float32 is up to three times faster.
    """
    if dtype != "auto":
        return dtype
    return "float64" if data == np.float64 and n_samples <= batch_size else "float32"


def _configured(name: str, instance: Any) -> KerasObject:
    """Return an object's configuration, if it can be built anew from it."""
    try:
        configured = KerasObject.of(instance)
        _require_buildable(configured)
    except Exception as error:
        raise ValueError(
            f"{name} must be an object that its own get_config and from_config can copy. Got "
            f"{type(instance).__name__}, which failed: {error}"
        ) from error
    return configured


@lru_cache(maxsize=256)
def _require_buildable(configured: KerasObject) -> None:
    """Build the object; cached, because an optimizer takes 1.5 ms, a tenth of a small fit."""
    configured.build()


def _names(module: Any, base: type | None = None) -> list[str]:
    """Return what a module of Keras offers: subclasses of `base`, or classes and functions."""
    offered = {name: getattr(module, name) for name in dir(module) if name[0] != "_"}
    if base is None:
        skipped = {"Loss", "get", "serialize", "deserialize"}
        return sorted(n for n, value in offered.items() if callable(value) and n not in skipped)
    return sorted(
        name
        for name, kind in offered.items()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    )


def _unknown(name: str, value: Any, known: Iterable[str]) -> ValueError:
    return ValueError(
        f"{name} must be a name that Keras knows, or an object of Keras. Got {value!r}."
        f"{did_you_mean(value, known)}"
    )


def did_you_mean(value: Any, known: Iterable[str]) -> str:
    """Return the end of a message, with the known names that are close to a value."""
    close = difflib.get_close_matches(str(value), known, n=3)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
