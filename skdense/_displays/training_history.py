"""How a training went, by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._estimators.base import KerasDenseBase
from .histories import VALIDATION, n_epochs, require_epochs, require_histories, shown_metrics
from .panels import grid_in, pyplot, require_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# What scikit-learn's searches, target transformers and threshold classifiers keep fitted.
_INNER = ("best_estimator_", "regressor_", "estimator_")
_PANEL_SIZE, _LEGEND_LINE = (4.6, 3.2), 0.2  # inches
_MOST_COLUMNS = 3
_TRAINING_STYLE: dict[str, Any] = {"linestyle": "--", "linewidth": 1.1, "alpha": 0.8}
_KEY = "skdense: what dashes mean"
_VALIDATION_STYLE: dict[str, Any] = {"linestyle": "-", "linewidth": 1.8}


class TrainingHistoryDisplay:
    """Loss and metrics by epoch, of one training or of several to compare.

    Each quantity has a panel. Validation is drawn as a line, training beside it dashed, and the
    best epoch, if rows were held out, is marked.

    Parameters
    ----------
    histories : dict of str to dict of str to list of float
        By name of the training, its `history_`, or ``keras.Model.fit(...).history``, in which
        validation may be rarer than training, every so many epochs.
    best_epochs : dict of str to int, default=None
        By name, the epoch to mark, counted from 1. Trainings without are drawn without.
    metrics : str or list of str, default=None
        What to show, such as ``["loss", "accuracy"]``. None is everything.
    loss_label : str, default="loss"
        What the loss is called.

    Attributes
    ----------
    figure_ : matplotlib Figure or SubFigure
    axes_ : ndarray of matplotlib Axes of shape (n_metrics,)
        In the order of `metrics`. Another display of as many draws into them by
        ``plot(ax=axes_)``.
    lines_ : dict of str to list of matplotlib Line2D
        By name of the training, in the order of `axes_`; validation before training.

    Raises
    ------
    TypeError
        If `histories` is no dict of dicts.
    ValueError
        If there is nothing to draw, lists do not fit together, `metrics` names what was not
        recorded, or `best_epochs` what was not trained.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of rows.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skdense import KerasDenseClassifier, TrainingHistoryDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> network = KerasDenseClassifier(units=8, metrics=["accuracy"], random_state=0)
    >>> network.set_params(validation_fraction=0.2, epochs=5).fit(X, y)
    KerasDenseClassifier(...)
    >>> display = TrainingHistoryDisplay.from_estimator(network)
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['loss', 'accuracy']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        histories: Mapping[str, Mapping[str, Sequence[float]]],
        *,
        best_epochs: Mapping[str, int] | None = None,
        metrics: str | Sequence[str] | None = None,
        loss_label: str = "loss",
    ) -> None:
        require_histories(histories)
        self.histories = histories
        self.best_epochs = best_epochs or {}
        require_epochs(self.best_epochs, histories)
        self.metrics = shown_metrics(histories, metrics)
        self.loss_label = loss_label

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        name: str | None = None,
        metrics: str | Sequence[str] | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the training of an estimator.

        Parameters
        ----------
        estimator : fitted estimator
            A `KerasDenseClassifier` or `KerasDenseRegressor`, or what holds one: a Pipeline that
            ends in it, a search, a TransformedTargetRegressor, a threshold classifier or a
            FrozenEstimator.
        name : str, default=None
            For the legend. None is the class' name.
        metrics : str or list of str, default=None
            What to show. None is everything recorded.
        ax : matplotlib Axes or ndarray of Axes, default=None
            As in `plot`.

        Returns
        -------
        TrainingHistoryDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        TypeError
            If it holds no network of skdense.
        ValueError
            If it was not trained here, as after `from_keras`.
        ImportError
            Without matplotlib.
        """
        network = _network_in(estimator)
        name = type(network).__name__ if name is None else name
        return cls.from_estimators({name: network}, metrics=metrics, ax=ax)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        *,
        metrics: str | Sequence[str] | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the trainings of several estimators in one figure.

        Parameters
        ----------
        estimators : dict of str to fitted estimator
            By name, for the legend; each as in `from_estimator`, which also says what is raised.
        metrics : str or list of str, default=None
            What to show. None is everything recorded.
        ax : matplotlib Axes or ndarray of Axes, default=None
            As in `plot`.

        Returns
        -------
        TrainingHistoryDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")  # before any work
        if not isinstance(estimators, Mapping):
            raise TypeError(
                "estimators must be a dict of names to estimators. "
                f"Got {type(estimators).__name__}."
            )
        networks = {name: _network_in(estimator) for name, estimator in estimators.items()}
        display = cls(
            {name: network.history_ for name, network in networks.items()},
            best_epochs={name: own.best_epoch_ for name, own in networks.items() if _watched(own)},
            metrics=metrics,
            loss_label=_loss_label(networks.values()),
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or ndarray of Axes, default=None
            Axes of a display to draw beside, one for each metric; or a single one, in whose
            place the panels are laid out. None makes a figure.

        Returns
        -------
        TrainingHistoryDisplay
            Itself.
        """
        self.axes_ = self._panels(ax)
        self.figure_ = self.axes_[0].figure
        self.lines_: dict[str, list[Line2D]] = {}
        for name in self.histories:
            color = _new_color(self.axes_[0], self._label(name))
            self.lines_[name] = [
                line
                for panel, metric in zip(self.axes_, self.metrics, strict=True)
                for line in self._draw(panel, metric, name, color)
            ]
        for panel, metric in zip(self.axes_, self.metrics, strict=True):
            panel.set(xlabel="epoch", ylabel=self.loss_label if metric == "loss" else metric)
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.spines[["top", "right"]].set_visible(False)
        _add_legend(self.axes_)
        return self

    def _panels(self, ax: Any) -> Any:
        caller, n_panels = f"{type(self).__name__}.plot", len(self.metrics)
        pyplot(caller)  # before any work
        given: Any = [] if ax is None else np.ravel(ax)
        for one in given:
            require_axes(one, caller)
        if len(given) == n_panels:
            return given
        if len(given) > 1:
            raise ValueError(
                f"ax must be one axes, or one for each of {', '.join(self.metrics)}. "
                f"Got {len(given)}. Choose metrics= to draw as many."
            )
        n_columns = min(n_panels, _MOST_COLUMNS)
        n_rows = -(-n_panels // n_columns)
        height = _PANEL_SIZE[1] * n_rows + _LEGEND_LINE * (len(self.histories) + 2)
        size = _PANEL_SIZE[0] * n_columns, height
        place = given[0] if len(given) else None
        figure, grid = grid_in(place, caller, size, nrows=n_rows, ncols=n_columns)
        return np.array([figure.add_subplot(grid[number]) for number in range(n_panels)])

    def _label(self, name: str) -> str:
        best = self.best_epochs.get(name)
        return f"{name}" if best is None else f"{name} (best epoch: {best})"

    def _draw(self, panel: Axes, metric: str, name: str, color: Any) -> list[Line2D]:
        """Draw the more telling curve as a line, with its best epoch, and the other one dashed."""
        history, best = self.histories[name], self.best_epochs.get(name)
        most = n_epochs(history)
        curves = [history[key] for key in (VALIDATION + metric, metric) if key in history]
        lines: list[Line2D] = []
        for values, style in zip(curves, (_VALIDATION_STYLE, _TRAINING_STYLE), strict=False):
            every = most // len(values)
            epochs = range(every, most + 1, every)
            marker = "." if len(values) == 1 else ""  # a line of one point shows nothing
            lines += panel.plot(epochs, values, color=color, marker=marker, **style)
            if best is not None and best in epochs and style is _VALIDATION_STYLE:
                mark = {"color": color, "markeredgecolor": "white", "zorder": 3}
                panel.plot(best, values[epochs.index(best)], "o", markersize=8, **mark)
        return lines


def _new_color(panel: Axes, label: str) -> Any:
    """Name a training in the panel's legend, whether the panel shows it or not."""
    [line] = panel.plot([], [], label=label, **_VALIDATION_STYLE)
    return line.get_color()


def _add_legend(panels: Sequence[Axes]) -> None:
    """Name all trainings above the first panel, where no curve can be, and say what dashes mean."""
    first = panels[0]
    lines = [line for panel in panels for line in panel.lines]
    is_told = any(line.get_gid() == _KEY for line in lines)
    if not is_told and any(line.get_linestyle() == "--" for line in lines):
        first.plot([], [], color="0.4", label="validation", gid=_KEY, **_VALIDATION_STYLE)
        first.plot([], [], color="0.4", label="training", gid=_KEY, **_TRAINING_STYLE)
    first.legend(
        loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize="small", borderaxespad=0
    )


def _watched(network: KerasDenseBase) -> bool:
    """Say whether the best epoch is one of those in which held-out rows were looked at."""
    values = [v for key, v in network.history_.items() if key.startswith(VALIDATION)]
    return any(not np.isnan(value[network.best_epoch_ - 1]) for value in values)


def _network_in(estimator: Any) -> KerasDenseBase:
    """Return the network of skdense that an estimator is, ends in or holds."""
    if isinstance(estimator, Pipeline):
        return _network_in(estimator[-1])
    check_is_fitted(estimator)
    if isinstance(estimator, KerasDenseBase):
        return estimator
    if isinstance(estimator, FrozenEstimator):
        return _network_in(estimator.estimator)
    holds_many = hasattr(estimator, "estimators_")
    for name in _INNER:
        if hasattr(estimator, name) and not holds_many:
            return _network_in(getattr(estimator, name))
    raise TypeError(
        "TrainingHistoryDisplay needs an estimator of skdense, alone, at the end "
        "of a Pipeline, or in what holds one, such as a search fitted with refit=True. Got "
        f"{type(estimator).__name__}. Show the networks of an ensemble by from_estimators."
    )


def _loss_label(networks: Iterable[KerasDenseBase]) -> str:
    is_standardized = {network._fitted.target.output_scale is not None for network in networks}
    if len(is_standardized) > 1:
        return "loss (in units that differ: some targets are standardized)"
    return "loss (of the standardized target)" if True in is_standardized else "loss"
