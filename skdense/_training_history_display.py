"""How a training went, by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._base import KerasDenseBase
from ._panels import grid_in, pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_VALIDATION = "val_"
# What scikit-learn's searches, target transformers and threshold classifiers keep fitted.
_INNER = ("best_estimator_", "regressor_", "estimator_")
_PANEL_SIZE, _LEGEND_LINE = (4.6, 3.2), 0.2  # inches
_MOST_COLUMNS = 3
_TRAINING_STYLE: dict[str, Any] = {"linestyle": "--", "linewidth": 1.1, "alpha": 0.8}
_VALIDATION_STYLE: dict[str, Any] = {"linestyle": "-", "linewidth": 1.8}


class TrainingHistoryDisplay:
    """Loss and metrics by epoch, of one training or of several to compare.

    Each quantity has a panel. Validation is drawn as a line, training beside it dashed, and the
    best epoch, if rows were held out, is marked.

    Parameters
    ----------
    histories : dict of str to dict of str to list of float
        By name of the training, its `history_`, or the ``history`` that ``keras.Model.fit``
        returns.
    best_epochs : dict of str to int, default=None
        By name, the epoch to mark, counted from 1. Trainings without are drawn without.
    metrics : str or list of str, default=None
        What to show, such as ``["loss", "accuracy"]``. None is everything.
    loss_label : str, default="loss"
        What the loss is called.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes of shape (n_metrics,)
        In the order of `metrics`. Another display of as many draws into them by
        ``plot(ax=axes_)``.
    lines_ : dict of str to list of matplotlib Line2D
        By name of the training, in the order of `axes_`; validation before training.

    Raises
    ------
    ValueError
        If there is nothing to draw, or `metrics` names what was not recorded.

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
        self.histories = histories
        self.best_epochs = best_epochs or {}
        self.metrics = _shown_metrics(histories, metrics)
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
            A `KerasDenseClassifier` or `KerasDenseRegressor`, a Pipeline that ends in one, or a
            search or another estimator of scikit-learn that holds one.
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
        name = type(_network_in(estimator)).__name__ if name is None else name
        return cls.from_estimators({name: estimator}, metrics=metrics, ax=ax)

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
        networks = {name: _network_in(estimator) for name, estimator in estimators.items()}
        display = cls(
            {name: network.history_ for name, network in networks.items()},
            best_epochs={
                name: network.best_epoch_
                for name, network in networks.items()
                if any(key.startswith(_VALIDATION) for key in network.history_)
            },
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
        self.lines_: dict[str, list[Line2D]] = {name: [] for name in self.histories}
        for panel, metric in zip(self.axes_, self.metrics, strict=True):
            for name in self.histories:
                self.lines_[name] += self._draw(panel, metric, name)
            panel.set(xlabel="epoch", ylabel=self.loss_label if metric == "loss" else metric)
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.spines[["top", "right"]].set_visible(False)
        _add_legend(self.axes_[0])
        return self

    def _panels(self, ax: Any) -> Any:
        caller, n_panels = f"{type(self).__name__}.plot", len(self.metrics)
        pyplot(caller)
        if ax is not None and np.size(ax) == n_panels:
            return np.ravel(ax)
        if np.size(ax) > 1:
            raise ValueError(
                f"ax must be one axes, or one for each of {', '.join(self.metrics)}. "
                f"Got {np.size(ax)}. Choose metrics= to draw as many."
            )
        n_columns = min(n_panels, _MOST_COLUMNS)
        n_rows = -(-n_panels // n_columns)
        height = _PANEL_SIZE[1] * n_rows + _LEGEND_LINE * (len(self.histories) + 2)
        size = _PANEL_SIZE[0] * n_columns, height
        ax = None if ax is None else np.ravel(ax)[0]
        figure, grid = grid_in(ax, caller, size, nrows=n_rows, ncols=n_columns)
        return np.array([figure.add_subplot(grid[place]) for place in range(n_panels)])

    def _draw(self, panel: Axes, metric: str, name: str) -> list[Line2D]:
        history, best = self.histories[name], self.best_epochs.get(name)
        watched = history.get(_VALIDATION + metric)
        trained = history.get(metric)
        label = name if best is None else f"{name} (best epoch: {best})"
        lines: list[Line2D] = []
        for values, style in (watched, _VALIDATION_STYLE), (trained, _TRAINING_STYLE):
            if values is None:
                continue
            # The more telling curve is a line, takes the next colour, and stands for both.
            is_first = not lines
            look = {**_VALIDATION_STYLE, "label": label} if is_first else dict(style)
            if not is_first:
                look["color"] = lines[0].get_color()
            if len(values) == 1:
                look["marker"] = "."  # a line of one point shows nothing
            lines += panel.plot(range(1, len(values) + 1), values, **look)
            if is_first and best is not None:
                look = {"color": lines[0].get_color(), "markeredgecolor": "white", "zorder": 3}
                panel.plot(best, values[best - 1], "o", markersize=8, **look)
        return lines


def _add_legend(panel: Axes) -> None:
    """Name all trainings above the panel, where no curve can be, and say what dashes mean."""
    said = {line.get_label() for line in panel.lines}
    if any(line.get_linestyle() == "--" for line in panel.lines) and "training" not in said:
        panel.plot([], [], color="0.4", label="validation", **_VALIDATION_STYLE)
        panel.plot([], [], color="0.4", label="training", **_TRAINING_STYLE)
    panel.legend(
        loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize="small", borderaxespad=0
    )


def _shown_metrics(
    histories: Mapping[str, Mapping[str, Sequence[float]]], metrics: str | Sequence[str] | None
) -> list[str]:
    """Return what to draw: of each quantity recorded, or asked for, one name."""
    empty = [name for name, history in histories.items() if not any(map(len, history.values()))]
    if empty or not histories:
        raise ValueError(
            "TrainingHistoryDisplay needs the history of at least one epoch of each training. "
            f"Got none{' of ' + ', '.join(empty) if empty else ''}. A network that was made by "
            "from_keras has a history from its next training on."
        )
    # A dict keeps the order: the loss first.
    recorded = dict.fromkeys(
        key.removeprefix(_VALIDATION) for history in histories.values() for key in history
    )
    asked = list(recorded) if metrics is None else np.atleast_1d(metrics).tolist()
    unknown = [metric for metric in asked if metric not in recorded]
    if unknown or not asked:
        raise ValueError(
            f"metrics must name some of {', '.join(recorded)}. Got {metrics!r}. Others are "
            "recorded if the estimator's own metrics name them before it is fitted."
        )
    return asked


def _network_in(estimator: Any) -> KerasDenseBase:
    """Return the network of skdense that an estimator is, ends in or holds."""
    if isinstance(estimator, Pipeline):
        return _network_in(estimator[-1])
    check_is_fitted(estimator)
    if isinstance(estimator, KerasDenseBase):
        return estimator
    for name in _INNER:
        if hasattr(estimator, name):
            return _network_in(getattr(estimator, name))
    raise TypeError(
        "TrainingHistoryDisplay needs a KerasDenseClassifier or KerasDenseRegressor, alone, at the "
        f"end of a Pipeline or in a search fitted with refit=True. Got {type(estimator).__name__}."
    )


def _loss_label(networks: Iterable[KerasDenseBase]) -> str:
    is_standardized = [network._target.output_scale is not None for network in networks]
    return "loss (of the standardized target)" if all(is_standardized) else "loss"
