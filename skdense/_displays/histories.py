"""Histories of trainings by name: whether they can be drawn, and what they recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

VALIDATION = "val_"  # before the name of what was measured on held-out rows


def n_epochs(history: Mapping[str, Sequence[float]]) -> int:
    return max(map(len, history.values()), default=0)


def require_histories(histories: Any) -> None:
    """Raise an error if histories are no dict of dicts of lists that fit together."""
    if not isinstance(histories, Mapping) or not all(
        isinstance(history, Mapping) for history in histories.values()
    ):
        raise TypeError(
            "histories must be a dict of names to histories, such as {'mine': network.history_}. "
            f"Got {histories!r:.100}."
        )
    empty = [str(name) for name, history in histories.items() if not n_epochs(history)]
    if empty or not histories:
        raise ValueError(
            "TrainingHistoryDisplay needs the history of at least one epoch of each training. "
            f"Got none{' of ' + ', '.join(empty) if empty else ''}. A network that was made by "
            "from_keras has a history from its next training on."
        )
    for name, history in histories.items():
        most = n_epochs(history)
        lengths = {key: len(values) for key, values in history.items()}
        if any(not length or most % length for length in lengths.values()):
            raise ValueError(
                "Lists of a history must have a value for each epoch, or for every so many. "
                f"Got of {name}: {lengths}."
            )


def require_epochs(
    best_epochs: Mapping[str, int], histories: Mapping[str, Mapping[str, Sequence[float]]]
) -> None:
    for name, epoch in best_epochs.items():
        if name not in histories or not 1 <= epoch <= n_epochs(histories[name]):
            lengths = {name: n_epochs(history) for name, history in histories.items()}
            raise ValueError(
                f"best_epochs must be epochs, from 1 on, of the trainings {lengths}. "
                f"Got {name!r}: {epoch!r}."
            )


def shown_metrics(
    histories: Mapping[str, Mapping[str, Sequence[float]]], metrics: str | Sequence[str] | None
) -> list[str]:
    """Return what to draw: of each quantity recorded, or asked for, one name."""
    # A dict keeps the order: the loss first.
    recorded = dict.fromkeys(
        key.removeprefix(VALIDATION) for history in histories.values() for key in history
    )
    asked = list(recorded) if metrics is None else np.atleast_1d(metrics).tolist()
    unknown = [metric for metric in asked if metric not in recorded]
    if unknown or not asked:
        raise ValueError(
            f"metrics must name some of {', '.join(recorded)}, each of which stands for training "
            f"and validation. Got {metrics!r}. Others are recorded if the estimator's own metrics "
            "name them before it is fitted."
        )
    return asked
