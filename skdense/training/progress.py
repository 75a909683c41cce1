"""What a fit prints: a bar over the epochs, a line for each, or nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .. import _tensorflow


class Progress:
    """Reports epochs as they end.

    Parameters
    ----------
    verbose : {0, 1, 2}
        Silent, a progress bar, or one line per epoch.
    n_epochs : int
        How many epochs there will be.
    """

    def __init__(self, verbose: int, n_epochs: int) -> None:
        self.is_silent = verbose == 0
        self._n_epochs = n_epochs
        self._started = time.perf_counter()
        self._bar: Any = None
        if verbose == 1:
            _, keras = _tensorflow.load()
            self._bar = keras.utils.Progbar(n_epochs, unit_name="epoch")

    def epoch_ended(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Report the end of an epoch, counted from 0, with the history's newest values."""
        if self.is_silent:
            return
        if self._bar is not None:
            # Progbar averages what it is given over the steps unless told otherwise.
            self._bar.stateful_metrics = set(logs)
            self._bar.update(epoch + 1, list(logs.items()), finalize=epoch + 1 == self._n_epochs)
            return
        now = time.perf_counter()
        values = " - ".join(f"{name}: {value:.4f}" for name, value in logs.items())
        print(f"Epoch {epoch + 1}/{self._n_epochs} - {now - self._started:.2f}s - {values}")
        self._started = now
