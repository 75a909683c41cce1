"""The early-stopping rule, on plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """Follow a score over the epochs, for the best one and for when to stop.

    The best epoch is the first one with the best score. Patience runs out when, for `patience`
    epochs in a row, no score was better by more than `min_delta` than the last one that was,
    as in ``keras.callbacks.EarlyStopping``: small steps count once they add up. A score of NaN
    is no better than any.

    Attributes
    ----------
    greater_is_better : bool
    patience : int or None
        None never stops.
    min_delta : float
        In units of the score.
    best_score : float
        NaN until there is one.
    best_epoch : int
        Counted from 1; 0 until there is one.
    n_stalled : int
        Epochs since patience was last restored.

    Examples
    --------
    >>> from skdense._training.early_stopping import EarlyStopping
    >>> rule = EarlyStopping(greater_is_better=False, patience=2, min_delta=0.1)
    >>> [rule.follow(score, epoch) for epoch, score in enumerate([1.0, 0.95, 0.94], start=1)]
    [True, True, True]
    >>> rule.has_stalled, rule.best_epoch
    (True, 3)
    """

    greater_is_better: bool
    patience: int | None = None
    min_delta: float = 0.0
    best_score: float = math.nan
    best_epoch: int = 0
    n_stalled: int = 0
    _to_beat: float = math.nan

    def follow(self, score: float, epoch: int) -> bool:
        """Take the score of an epoch, counted from 1; returns whether it is the best so far."""
        if self._is_better(score, self._to_beat, self.min_delta):
            self._to_beat, self.n_stalled = score, 0
        else:
            self.n_stalled += 1
        is_best = self._is_better(score, self.best_score, 0.0)
        if is_best:
            self.best_score, self.best_epoch = score, epoch
        return is_best

    @property
    def has_stalled(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.n_stalled >= self.patience

    def _is_better(self, score: float, other: float, margin: float) -> bool:
        if math.isnan(score) or math.isnan(other):
            return not math.isnan(score)
        gain = score - other if self.greater_is_better else other - score
        return gain > margin
