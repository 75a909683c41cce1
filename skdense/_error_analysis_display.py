"""Which samples a classifier gets wrong, and which right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from ._panels import pyplot
from ._sample_panels import Group, draw_images, draw_tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Array = NDArray[Any]

_WRONG, _RIGHT = "#b2361c", "#1b6f79"  # apart for the colour-blind, and in print
_FEATURES_SHOWN = 8
_CHANNELS = 1, 3, 4


class ErrorAnalysisDisplay:
    """Samples predicted wrong and right, with their labels and probabilities.

    The mistakes come first, the most confident ones ahead; then what was right, the least
    confident ahead. Samples are images, or rows of a table whose numbers are shaded by their
    distance from the column's mean.

    Parameters
    ----------
    X : array-like, sparse array or DataFrame of shape (n_samples, n_features)
    y_true : array-like of shape (n_samples,)
        Labels to be shown.
    y_pred : array-like of shape (n_samples,)
        Labels predicted.
    probability : array-like of shape (n_samples,)
        Of the predicted label.
    image_shape : tuple of int, default=None
        Height and width of an image that the features are the pixels of, row by row; for colours
        with 3 or 4 channels as third. None shows a table.
    features : sequence of int or str, default=None
        Numbers or names of the columns that a table shows. None shows the first 8.
    feature_names : sequence of str of shape (n_features,), default=None
        None takes a DataFrame's, or numbers them.

    Attributes
    ----------
    wrong_indices, right_indices : ndarray of int
        All rows of X with a mistake, and without, in the order described.
    figure_ : matplotlib Figure
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
    ) -> None:
        self.X = X if hasattr(X, "shape") else np.asarray(X)
        if len(self.X.shape) != 2:
            raise ValueError(f"X must have rows and columns. Got shape {self.X.shape}.")
        # As objects, since labels of different kinds are different, and no error.
        self.y_true, self.y_pred = np.asarray(y_true, object), np.asarray(y_pred, object)
        self.probability = np.asarray(probability)
        check_consistent_length(self.X, self.y_true, self.y_pred, self.probability)
        self.image_shape = image_shape
        if image_shape is not None:
            _require_image_shape(image_shape, self.X.shape[1])
        self.feature_names = _names(self.X, feature_names)
        self.features = _column_numbers(features, self.feature_names)
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
        cmap: Any = "gray_r",
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
            Columns that a table shows. None shows the first 8.
        feature_names : sequence of str of shape (n_features,), default=None
            None takes a DataFrame's, or numbers them.
        display_labels : sequence of shape (n_classes,), default=None
            What to call the classes, in the order of ``estimator.classes_``.
        n_samples : int, default=10
            Most mistakes to show, and most right ones.
        cmap : str or matplotlib Colormap, default="gray_r"
            For images of one channel.
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
            *_judged(estimator, X, y, display_labels),
            image_shape=image_shape,
            features=features,
            feature_names=feature_names,
        )
        return display.plot(ax, n_samples=n_samples, cmap=cmap)

    def plot(self, ax: Axes | None = None, *, n_samples: int = 10, cmap: Any = "gray_r") -> Self:
        """Draw the samples.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            In whose place the picture is laid out. None makes a figure.
        n_samples : int, default=10
            Most mistakes to show, and most right ones.
        cmap : str or matplotlib Colormap, default="gray_r"
            For images of one channel.

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
        wrong, right = self._titles()
        groups = [self._group(wrong, _WRONG, shown[0]), self._group(right, _RIGHT, shown[1])]
        if self.image_shape is not None:
            images = [_rows(self.X, rows).reshape(-1, *self.image_shape) for rows in shown]
            self.figure_, axes = draw_images(ax, caller, groups, images, cmap)
        else:
            table = _columns(self.X, self.features, self.feature_names)
            tables, off = [table.iloc[rows] for rows in shown], _deviations(table)
            deviations = [off[rows] for rows in shown]
            self.figure_, axes = draw_tables(ax, caller, groups, tables, deviations)
        self.axes_ = np.array(axes)
        return self

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

    def _group(self, title: str, color: str, rows: Array) -> Group:
        y_true, y_pred = (
            labels[rows].astype(str).tolist() for labels in (self.y_true, self.y_pred)
        )
        return Group(title, color, y_true, y_pred, self.probability[rows])


def _require_probabilities(estimator: Any) -> None:
    if is_classifier(estimator) and hasattr(estimator, "predict_proba"):
        return
    what = "a classifier without predict_proba" if is_classifier(estimator) else "no classifier"
    raise TypeError(
        "ErrorAnalysisDisplay needs a classifier with predict_proba. "
        f"Got {type(estimator).__name__}, {what}."
    )


def _judged(
    estimator: Any, X: Any, y: Any, display_labels: Sequence[Any] | None
) -> tuple[Array, Array, Array]:
    """Return the labels to show, true and predicted, and the probabilities of the latter."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y.ravel()
    if y.ndim != 1:
        raise ValueError(
            "ErrorAnalysisDisplay needs one label for each sample. Got y of shape "
            f"{y.shape}. Of several labels show one at a time, by ErrorAnalysisDisplay(X, "
            "y[:, 0], predicted[:, 0], probability)."
        )
    check_consistent_length(X, y)
    classes = np.asarray(estimator.classes_)
    names = classes if display_labels is None else np.asarray(display_labels)
    if len(names) != len(classes):
        raise ValueError(
            f"display_labels must name the {len(classes)} classes. Got {len(names)} names."
        )
    predicted = estimator.predict(X)
    numbers = np.searchsorted(classes, predicted)
    probability = estimator.predict_proba(X)[np.arange(len(y)), numbers]
    called = dict(zip(classes.tolist(), names.tolist(), strict=True))
    # A label that the classifier does not know keeps its own name.
    y_true = np.array([called.get(label, label) for label in y.tolist()], object)
    return y_true, names[numbers], probability


def _require_image_shape(image_shape: tuple[int, ...], n_features: int) -> None:
    is_shape = np.ndim(image_shape) == 1 and all(
        isinstance(side, int | np.integer) and side > 0 for side in image_shape
    )
    if not is_shape or not (
        len(image_shape) == 2 or (len(image_shape) == 3 and image_shape[2] in _CHANNELS)
    ):
        raise ValueError(
            "image_shape must be (height, width), or (height, width, channels) with 1, 3 or 4 "
            f"channels. Got {image_shape!r}."
        )
    n_values = int(np.prod(image_shape))
    if n_values != n_features:
        raise ValueError(
            f"image_shape must have as many values as X has features, {n_features:,}. "
            f"Got {image_shape!r}, {n_values:,} values."
        )


def _names(X: Any, feature_names: Sequence[str] | None) -> list[str]:
    """Return the name of each feature."""
    n_features = X.shape[1]
    if feature_names is None:
        return [str(name) for name in getattr(X, "columns", range(n_features))]
    if len(feature_names) != n_features:
        raise ValueError(
            f"feature_names must name the {n_features} features of X. Got {len(feature_names)}."
        )
    return [str(name) for name in feature_names]


def _column_numbers(features: Sequence[int | str] | None, names: list[str]) -> list[int]:
    """Return the number of each feature that is asked for, by number or name."""
    if features is None:
        return list(range(min(len(names), _FEATURES_SHOWN)))
    known: dict[Any, int] = {name: number for number, name in enumerate(names)}
    known |= {number: number for number in range(len(names))}
    unknown = [feature for feature in features if feature not in known]
    if unknown or not len(features):
        raise ValueError(
            f"features must be names or numbers of some of the {len(names)} features. "
            f"Got {list(features)!r}{f', of which {unknown!r} are unknown' if unknown else ''}."
        )
    return [known[feature] for feature in features]


def _rows(X: Any, rows: Array) -> Array:
    """Return some rows as numbers."""
    chosen = X.iloc[rows] if hasattr(X, "iloc") else X[rows]
    return np.asarray(chosen.toarray() if issparse(chosen) else chosen, dtype=float)


def _columns(X: Any, numbers: list[int], names: list[str]) -> pd.DataFrame:
    """Return some columns with their names."""
    import pandas as pd

    shown = [names[number] for number in numbers]
    if hasattr(X, "iloc"):
        return X.iloc[:, numbers].set_axis(shown, axis=1)
    if hasattr(X, "columns"):  # another library's table
        return pd.DataFrame({name: np.asarray(X[name]) for name in shown})
    chosen = X.tocsc()[:, numbers].toarray() if issparse(X) else X[:, numbers]
    return pd.DataFrame(chosen, columns=shown)


def _deviations(table: pd.DataFrame) -> Array:
    """Return by how many standard deviations each number is off its column's mean; 0 for text."""
    off = np.zeros(table.shape)
    for number, (_, column) in enumerate(table.items()):
        if column.dtype.kind in "iuf" and column.std() > 0:
            off[:, number] = (column - column.mean()) / column.std()
    return np.nan_to_num(off)
