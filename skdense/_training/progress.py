"""What a fit prints: a bar over the epochs, a line for each, or nothing."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any


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
        self._n_untimed = 0
        self._bar: Any = _make_bar(len(epochs)) if verbose == 1 else None

    def epochs_ran(self, n_epochs: int) -> None:
        """Take note that so many epochs ran at once; each is then told to have taken its share."""
        now = time.perf_counter()
        self._share, self._started = (now - self._started) / n_epochs, now
        self._start_clock(n_epochs)

    def epoch_ended(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Report the end of an epoch, counted from 0, with the history's newest values."""
        if self._is_silent:
            return
        values = " - ".join(f"{name}: {value:.4f}" for name, value in logs.items())
        if self._bar is not None:
            self._start_clock(1)
            n_ended = epoch + 1 - self._first
            self._bar.initial = min(n_ended, self._n_untimed)
            self._bar.set_postfix_str(values, refresh=False)
            self._bar.update(n_ended - self._bar.n)
            return
        now = time.perf_counter()
        seconds = self._share + now - self._started
        print(f"Epoch {epoch + 1}/{self._n_epochs} - {seconds:.2f}s - {values}")
        self._started = now

    def _start_clock(self, n_epochs: int) -> None:
        """Measure the bar's rate from the end of the first epochs, whose time is for compiling."""
        if self._bar is not None and not self._n_untimed:
            self._n_untimed = n_epochs
            self._bar.unpause()

    def ended(self) -> None:
        """End the line of the bar, wherever training stopped."""
        if self._bar is not None:
            # Or else notebooks show early stopping as a failure.
            self._bar.total = self._bar.n or self._bar.total
            self._bar.close()


def _make_bar(n_epochs: int) -> Any:
    # tqdm.auto warns in a notebook whose kernel lacks ipywidgets, and takes tqdm.std there.
    module = "tqdm.auto" if find_spec("ipywidgets") else "tqdm.std"
    bar = importlib.import_module(module).tqdm
    bar.get_lock()  # of all bars, also of this class
    # Without the thread that tqdm starts to refresh bars, as each epoch may refresh this one.
    quiet_bar = type("EpochBar", (bar,), {"monitor_interval": 0})
    return quiet_bar(total=n_epochs, unit="epoch", file=sys.stdout, smoothing=0, miniters=1)
