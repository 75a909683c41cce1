"""Metrics of single rows, which an epoch averages as Keras' running means do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .._backend.keras_objects import loss_name
from .._backend.loading import load_keras
from .losses import KNOWN_PER_ROW, why_rows_mix

Tensor = Any
Array = NDArray[Any]
RowFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Metric:
    """A metric as a training uses it.

    Attributes
    ----------
    name : str
        In the history.
    function : callable
        From (rows, columns) targets and outputs to (rows,) values; hashable.
    """

    name: str
    function: RowFunction


@dataclass(frozen=True)
class Accuracy:
    """Share of right decisions, by the function of Keras that fits the target.

    Attributes
    ----------
    kind : {"binary", "categorical", "sparse_categorical"}
    threshold : float
        Above which an output of the binary kind means the second class, or a label.
    """

    kind: str
    threshold: float = 0.5

    def __call__(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        keras = load_keras()
        if self.kind == "binary":
            right = keras.metrics.binary_accuracy(y_true, y_pred, threshold=self.threshold)
            return keras.ops.mean(right, axis=-1) if len(right.shape) == 2 else right
        return getattr(keras.metrics, f"{self.kind}_accuracy")(y_true, y_pred)

    def as_keras(self, name: str) -> Any:
        keras = load_keras()
        if self.kind == "binary":
            return keras.metrics.BinaryAccuracy(name, threshold=self.threshold)
        if self.kind == "categorical":
            return keras.metrics.CategoricalAccuracy(name)
        return keras.metrics.SparseCategoricalAccuracy(name)


def metric_function(name: str) -> RowFunction | None:
    """Return Keras' function of a metric's name; None where it has none.

    Examples
    --------
    >>> from skdense._training.metrics import metric_function
    >>> metric_function("mae").__name__, metric_function("AUC")
    ('mean_absolute_error', None)
    """
    keras = load_keras()
    function = getattr(keras.metrics, loss_name(name) or name, None)
    is_metric = callable(function) and name not in ("get", "serialize", "deserialize")
    return function if is_metric and not isinstance(function, type) else None


def as_keras_metric(metric: Metric) -> Any:
    """Return the metric as Keras' object of the same name.

    As an instance of Keras' own class where there is one, since only those tell callbacks with
    ``mode="auto"`` whether more is better.
    """
    keras = load_keras()
    if isinstance(metric.function, Accuracy):
        return metric.function.as_keras(metric.name)
    try:
        known = keras.metrics.get(metric.name)
    except ValueError:
        known = None
    if isinstance(known, keras.metrics.Metric):
        return type(known)(name=metric.name)
    return keras.metrics.MeanMetricWrapper(metric.function, name=metric.name)


def require_per_row(
    metrics: tuple[Metric, ...],
    n_target_columns: int,
    n_outputs: int,
    trial: Callable[[], tuple[Array, Array]],
) -> None:
    """Raise ValueError for a metric that is not one number for each row.

    Parameters
    ----------
    metrics : tuple of Metric
    n_target_columns, n_outputs : int
        What they compare.
    trial : callable
        Returns a few rows of targets and of what the network may answer.
    """
    for metric in metrics:
        name = metric.name
        if isinstance(metric.function, Accuracy):
            name = f"{metric.function.kind}_accuracy"
        reason = _why_not_comparable(name, n_target_columns, n_outputs)
        is_known = isinstance(metric.function, Accuracy) or loss_name(metric.name) in KNOWN_PER_ROW
        if reason is None and not is_known:
            reason = why_rows_mix("it", metric.function, *trial())
        if reason is not None:
            raise ValueError(
                f"metrics must be computable for each row by itself. Got {metric.name!r}: "
                f"{reason}. Use another name, or a scikit-learn scorer as `scoring`."
            )


def _why_not_comparable(name: str, n_target_columns: int, n_outputs: int) -> str | None:
    if name.startswith("sparse_"):
        fits, wanted = n_target_columns == 1 < n_outputs, "class indices"
    elif name.startswith(("categorical_", "top_k_")):
        fits, wanted = n_target_columns == n_outputs > 1, "one column for each class"
    else:
        fits, wanted = n_target_columns == n_outputs, "one column for each output"
    if fits:
        return None
    return (
        f"it compares with {wanted}, while this loss has targets of {n_target_columns} column(s) "
        f"for {n_outputs} output(s)"
    )
