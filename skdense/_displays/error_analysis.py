"""Which samples a classifier gets wrong, and which right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from .panels import pyplot
from .sample_panels import Group, draw_images, draw_tables
from .samples import column_numbers, columns_of, deviations, names_of, require_image_shape, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]

_WRONG, _RIGHT = "#b2361c", "#1b6f79"  # apart for the colour-blind, and in print
_ONE_OF_MANY = (
    "Show labels of several columns one at a time, such as by ErrorAnalysisDisplay(X, y[:, 0], "
    "predicted[:, 0], probability_of_the_predicted)."
)


class ErrorAnalysisDisplay:
    """Samples predicted wrong and right, with their labels and probabilities.

    The mistakes come first, the most confident ones ahead; then what was right, the least
    confident ahead. Samples are images, or rows of a table whose numbers are shaded by their
    distance from the column's mean.

    Parameters
    ----------
    X : array-like, sparse array or DataFrame of shape (n_samples, n_features)
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Labels predicted.
    probability : array-like of shape (n_samples,)
        Of the predicted label.
    image_shape : tuple of int, default=None
        Height and width of an image that the features are the pixels of, row by row; for colours
        with 3 or 4 channels as third. None shows a table.
    features : sequence of int or str, default=None
        Names or numbers of the columns that a table shows. None shows the first 8.
    feature_names : sequence of str of shape (n_features,), default=None
        For a table. None takes a DataFrame's, or numbers them.
    label_names : dict, default=None
        What to call labels; others keep their own names.

    Attributes
    ----------
    wrong_indices, right_indices : ndarray of int
        All rows of X with a mistake, and without, in the order described.
    figure_ : matplotlib Figure or SubFigure
    axes_ : ndarray of matplotlib Axes
        One for each image, or one for each of the two tables.

    Raises
    ------
    ValueError
        If shapes contradict each other, or a feature is unknown.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Which classes are taken for which.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skdense import ErrorAnalysisDisplay, KerasDenseClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> network = KerasDenseClassifier(units=32, epochs=5, random_state=0).fit(X_train, y_train)
    >>> display = ErrorAnalysisDisplay.from_estimator(
    ...     network, X_test, y_test, image_shape=(8, 8)
    ... )
    >>> bool((network.predict(X_test) != y_test).sum() == len(display.wrong_indices))
    True
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        X: Any,
        y_true: Any,
        y_pred: Any,
        probability: Any,
        *,
        image_shape: tuple[int, ...] | None = None,
        features: Sequence[int | str] | None = None,
        feature_names: Sequence[str] | None = None,
        label_names: Mapping[Any, Any] | None = None,
    ) -> None:
        self.X = X if hasattr(X, "shape") else np.asarray(X)
        if len(self.X.shape) != 2:
            raise ValueError(f"X must have rows and columns. Got shape {self.X.shape}.")
        # As objects, since labels of different kinds are different, and no error.
        self.y_true, self.y_pred = _column(y_true, "y_true"), _column(y_pred, "y_pred")
        self.probability = _column(probability, "probability").astype(float)
        check_consistent_length(self.X, self.y_true, self.y_pred, self.probability)
        self.image_shape, self.label_names = image_shape, label_names or {}
        if image_shape is not None:
            require_image_shape(image_shape, self.X.shape[1])
            _require_unset("without image_shape", features=features, feature_names=feature_names)
        self.feature_names = names_of(self.X, feature_names)
        self.features = column_numbers(features, self.feature_names)
        order = np.argsort(-self.probability, kind="stable")
        is_wrong = (self.y_true != self.y_pred)[order]
        self.wrong_indices, self.right_indices = order[is_wrong], order[~is_wrong][::-1]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        image_shape: tuple[int, ...] | None = None,
        features: Sequence[int | str] | None = None,
        feature_names: Sequence[str] | None = None,
        display_labels: Sequence[Any] | None = None,
        n_samples: int = 10,
        cmap: Any = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the mistakes of a classifier, and what it got right.

        Parameters
        ----------
        estimator : fitted classifier
            Any of scikit-learn's kind with ``predict_proba``, for one label a row.
        X : array-like, sparse array or DataFrame of shape (n_samples, n_features)
            As the estimator takes it, a Pipeline's before its steps.
        y : array-like of shape (n_samples,)
            True labels.
        image_shape : tuple of int, default=None
            Such as ``(28, 28)``, or ``(32, 32, 3)`` for colours. None shows a table.
        features : sequence of int or str, default=None
            Names or numbers of the columns that a table shows. None shows the first 8.
        feature_names : sequence of str of shape (n_features,), default=None
            For a table. None takes a DataFrame's, or numbers them.
        display_labels : sequence of shape (n_classes,), default=None
            What to call the classes, in the order of ``estimator.classes_``.
        n_samples : int, default=10
            Most mistakes to show, and most right ones.
        cmap : str or matplotlib Colormap, default=None
            For images of one channel. None is ``"gray_r"``, dark on white.
        ax : matplotlib Axes, default=None
            In whose place the picture is laid out. None makes a figure.

        Returns
        -------
        ErrorAnalysisDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is no classifier with probabilities.
        ValueError
            If shapes, names or labels contradict each other.
        ImportError
            Without matplotlib.
        """
        pyplot(f"{cls.__name__}.from_estimator")  # before any work
        check_is_fitted(estimator)
        _require_probabilities(estimator)
        display = cls(
            X,
            _column(y, "y"),
            *_predicted(estimator, X),
            image_shape=image_shape,
            features=features,
            feature_names=feature_names,
            label_names=_label_names(estimator.classes_, display_labels),
        )
        return display.plot(ax, n_samples=n_samples, cmap=cmap)

    def plot(self, ax: Axes | None = None, *, n_samples: int = 10, cmap: Any = None) -> Self:
        """Draw the samples.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            In whose place the picture is laid out. None makes a figure.
        n_samples : int, default=10
            Most mistakes to show, and most right ones.
        cmap : str or matplotlib Colormap, default=None
            For images of one channel. None is ``"gray_r"``, dark on white.

        Returns
        -------
        ErrorAnalysisDisplay
            Itself.
        """
        caller = f"{type(self).__name__}.plot"
        pyplot(caller)  # before any work
        if not isinstance(n_samples, int | np.integer) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer of at least 1. Got {n_samples!r}.")
        shown = [self.wrong_indices[:n_samples], self.right_indices[:n_samples]]
        groups = self._groups(shown)
        if self.image_shape is not None:
            if len(self.image_shape) == 3 and self.image_shape[2] > 1:
                _require_unset("for images of one channel", cmap=cmap)
            images = [rows_of(self.X, rows).reshape(-1, *self.image_shape) for rows in shown]
            self.figure_, axes = draw_images(ax, caller, groups, images, cmap or "gray_r")
        else:
            _require_unset("for images", cmap=cmap)
            table = columns_of(self.X, self.features, self.feature_names)
            tables, off = [table.iloc[rows] for rows in shown], deviations(table)
            self.figure_, axes = draw_tables(ax, caller, groups, tables, [off[r] for r in shown])
        self.axes_ = np.array(axes)
        return self

    def _groups(self, shown: list[Array]) -> list[Group]:
        return [
            Group(title, color, is_wrong, *self._texts(rows), self.probability[rows])
            for title, color, is_wrong, rows in zip(
                self._titles(), (_WRONG, _RIGHT), (True, False), shown, strict=True
            )
        ]

    def _texts(self, rows: Array) -> tuple[list[str], list[str]]:
        """Return what the true and the predicted labels of some rows are called."""
        true, predicted = (
            [str(self.label_names.get(label, label)) for label in labels[rows]]
            for labels in (self.y_true, self.y_pred)
        )
        return true, predicted

    def _titles(self) -> tuple[str, str]:
        """Say how many samples are wrong and right, and in which order they are shown."""
        n_samples, n_wrong, n_right = map(
            len, (self.y_true, self.wrong_indices, self.right_indices)
        )
        wrong = f"Wrong: {n_wrong:,} of {n_samples:,}, the most confident first"
        right = f"Right: {n_right:,} of {n_samples:,}, the least confident first"
        if not n_wrong:
            wrong = f"Wrong: none of {n_samples:,}"
        if not n_right:
            right = f"Right: none of {n_samples:,}"
        n_features = len(self.feature_names)
        if self.image_shape is None and len(self.features) < n_features:
            wrong += f" ({len(self.features)} of {n_features:,} features)"
        return wrong, right


def _require_probabilities(estimator: Any) -> None:
    if is_classifier(estimator) and hasattr(estimator, "predict_proba"):
        return
    what = "a classifier without predict_proba" if is_classifier(estimator) else "no classifier"
    raise TypeError(
        "ErrorAnalysisDisplay needs a classifier with predict_proba. "
        f"Got {type(estimator).__name__}, {what}."
    )


def _predicted(estimator: Any, X: Any) -> tuple[Array, Array]:
    """Return the predicted labels, and their probabilities."""
    predicted = np.asarray(estimator.predict(X))
    if predicted.ndim != 1:
        raise ValueError(
            "ErrorAnalysisDisplay needs a classifier of one label a row. Got predictions of shape "
            f"{predicted.shape}. {_ONE_OF_MANY}"
        )
    numbers = np.searchsorted(estimator.classes_, predicted)
    # Not the highest one of a row: a threshold may have decided otherwise.
    return predicted, estimator.predict_proba(X)[np.arange(len(predicted)), numbers]


def _label_names(classes: Any, display_labels: Sequence[Any] | None) -> dict[Any, Any]:
    if display_labels is None:
        return {}
    if len(display_labels) != len(classes):
        raise ValueError(
            f"display_labels must name the {len(classes)} classes. Got {len(display_labels)} names."
        )
    return dict(zip(np.asarray(classes).tolist(), display_labels, strict=True))


def _column(values: Any, name: str) -> Array:
    """Return values as an array of objects of shape (n_samples,)."""
    column = np.asarray(values)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column.ravel()
    if column.ndim != 1:
        raise ValueError(
            f"{name} must have one value for each row. Got shape {column.shape}. {_ONE_OF_MANY}"
        )
    return np.array([*column.tolist(), None], object)[:-1]  # never as a table of sequences


def _require_unset(where: str, **options: Any) -> None:
    """Raise ValueError for options that the picture does not know."""
    unknown = [name for name, value in options.items() if value is not None]
    if unknown:
        raise ValueError(f"{' and '.join(unknown)} can be given only {where}. Leave it out.")
