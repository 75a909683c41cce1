"""What a fit prints: a bar over the epochs, a line for each, or nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._backend.loading import load_keras


class Progress:
    """Reports epochs as they end.

    Parameters
    ----------
    verbose : {0, 1, 2}
        Silent, a progress bar, or one line per epoch.
    epochs : range
        The numbers of the epochs to come, from 0.
    """

    def __init__(self, verbose: int, epochs: range) -> None:
        self._is_silent = verbose == 0
        self._first, self._n_epochs = epochs.start, epochs.stop
        self._started = time.perf_counter()
        self._share = 0.0
        self._shown: tuple[int, list[tuple[str, float]]] | None = None
        self._bar: Any = None
        if verbose == 1:
            keras = load_keras()
            self._bar = keras.utils.Progbar(epochs.stop - epochs.start, unit_name="epoch")

    def epochs_ran(self, n_epochs: int) -> None:
        """Take note that so many epochs ran at once; each is then told to have taken its share."""
        now = time.perf_counter()
        self._share, self._started = (now - self._started) / n_epochs, now

    def epoch_ended(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Report the end of an epoch, counted from 0, with the history's newest values."""
        if self._is_silent:
            return
        if self._bar is not None:
            # Progbar averages what it is given over the steps unless told otherwise.
            self._bar.stateful_metrics = set(logs)
            self._shown = epoch + 1 - self._first, list(logs.items())
            self._bar.update(*self._shown, finalize=False)
            return
        now = time.perf_counter()
        values = " - ".join(f"{name}: {value:.4f}" for name, value in logs.items())
        seconds = self._share + now - self._started
        print(f"Epoch {epoch + 1}/{self._n_epochs} - {seconds:.2f}s - {values}")
        self._started = now

    def ended(self) -> None:
        """End the line of the bar, wherever training stopped."""
        if self._bar is not None and self._shown is not None:
            self._bar.update(*self._shown, finalize=True)
