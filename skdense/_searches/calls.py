"""One of joblib's calls, in a thread of its own that runs only when it is told to go on."""

from __future__ import annotations

import contextvars
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._backend.private_attributes import WARNING_STATE
from .._training.task import Outcome, TrainingTask
from .._training.together import numpy_errors, trainer


class Cancelled(BaseException):
    """Ends a call that nobody waits for any more; no `except Exception` takes it for an error."""


class Call:
    """A function that can be paused where it trains, or where it waits for another call.

    Exactly one thread runs at any time: either the one that says `go_on`, or the call's until it
    pauses or ends. So calls need no locks, and their order is the same in every run.

    Attributes
    ----------
    is_done : bool
    crowd : Crowd
        The calls that it takes turns with.
    tasks : list of TrainingTask or None
        What it wants to be trained; None where it does not wait for that.
    awaited : Call or None
        Another call that it waits for.
    """

    def __init__(
        self, crowd: Any, function: Callable[[], Any], when_done: Callable[[Any], None]
    ) -> None:
        self.crowd, self._function, self._when_done = crowd, function, when_done
        self._context, self._numpy_errors = contextvars.copy_context(), numpy_errors()
        self._warnings = _read_warning_state()
        self._thread: threading.Thread | None = None
        self._may_run, self._has_paused = threading.Semaphore(0), threading.Semaphore(0)
        self._result: Any = None
        self._error: BaseException | None = None
        self._is_cancelled = False
        self._outcomes: list[Outcome] = []
        self.is_done = False
        self.tasks: list[TrainingTask] | None = None
        self.awaited: Call | None = None

    def result(self) -> Any:
        """Return what the function returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result

    # --- for who lets it run -----------------------------------------------------------------

    def go_on(self, outcomes: list[Outcome] | None = None) -> None:
        """Let it run until it pauses or ends; `outcomes` are of the tasks that it waited for."""
        self._outcomes, self.tasks, self.awaited = outcomes or [], None, None
        outside = _read_warning_state()
        _write_warning_state(self._warnings)
        try:
            if self._thread is None:
                # A daemon, lest a call that Ctrl-C left behind keep Python from ending.
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            else:
                self._may_run.release()
            self._has_paused.acquire()
        finally:
            self._warnings = _read_warning_state()
            _write_warning_state(outside)
        if self.is_done and not self._is_cancelled:
            self._when_done(self)

    def cancel(self) -> None:
        """Have it end as soon as it pauses, and wait until it has."""
        self._is_cancelled = True
        if self._thread is None:
            self.is_done = True
        while not self.is_done:
            # Where Ctrl-C came while it ran, it still does, and pauses without being told to go on.
            self._may_run.release()
            self._has_paused.acquire()

    # --- for the call itself, in its thread --------------------------------------------------

    def train(self, tasks: list[TrainingTask]) -> list[Outcome]:
        """Wait until tasks are trained, together with those of others."""
        self.tasks = tasks
        self._pause()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def wait_for(self, call: Call) -> None:
        """Wait until another call has ended."""
        while not call.is_done:
            self.awaited = call
            self._pause()

    def _pause(self) -> None:
        if not self._is_cancelled:
            self._has_paused.release()
            self._may_run.acquire()
        if self._is_cancelled:
            raise Cancelled

    def _run(self) -> None:
        try:
            self._result = self._context.run(self._call_function)
        except BaseException as error:
            self._error = error
        finally:
            self.is_done = True
            self._has_paused.release()

    def _call_function(self) -> Any:
        trainer.set(self.train)
        running.set(self)
        with np.errstate(**self._numpy_errors):  # of each thread before NumPy 2
            return self._function()


running: contextvars.ContextVar[Call | None] = contextvars.ContextVar("running", default=None)
"""The call in whose thread this is."""


def _read_warning_state() -> dict[str, Any]:
    return {name: getattr(warnings, name) for name in WARNING_STATE if hasattr(warnings, name)}


def _write_warning_state(state: dict[str, Any]) -> None:
    # Of the whole process, while each call has its own `warnings.catch_warnings` open.
    for name, value in state.items():
        setattr(warnings, name, value)
