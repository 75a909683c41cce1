"""One of joblib's calls, in a thread that runs only when it is told to go on."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from .._backend.global_state import outer_state, read_state_if_loaded
from .._backend.warnings import CollectedWarning, collected_warnings, warn_caller
from .._training.engines import find_program, train_now
from .._training.task import Outcome, TrainingTask
from .._training.together import ending, numpy_errors, trainer


class Cancelled(BaseException):
    """Ends a call whose result is not needed; no `except Exception` catches it."""


class Call:
    """A function that can be paused where it trains, or where it waits for another call.

    Exactly one thread runs at any time: either the one that says `go_on`, or the call's until it
    pauses or ends. So calls need no locks, and their order is the same in every run.

    Attributes
    ----------
    scheduler : FitScheduler
    is_done : bool
    tasks : list of TrainingTask
        What it waits to be trained; empty where it does not wait for that.
    program : hashable or None
        What these are compiled for.
    training : Future or None
        The training of these, once it has begun.
    """

    def __init__(
        self, scheduler: Any, function: Callable[[], Any], when_done: Callable[[Any], None]
    ) -> None:
        self.scheduler, self._function, self._when_done = scheduler, function, when_done
        self._context, self._numpy_errors = contextvars.copy_context(), numpy_errors()
        self._outer_state = outer_state.get() or read_state_if_loaded()
        self._thread: threading.Thread | None = None
        self._may_run, self._has_paused = threading.Semaphore(0), threading.Semaphore(0)
        self._result: Any = None
        self._error: BaseException | None = None
        self._is_cancelled = False
        self._end_training = threading.Event()
        self._awaited: Call | None = None
        self.is_done = False
        self.tasks: list[TrainingTask] = []
        self.program: Hashable | None = None
        self.training: Future[tuple[list[Outcome], list[CollectedWarning]]] | None = None

    def result(self) -> Any:
        """Return what the function returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result

    # --- for the scheduler -------------------------------------------------------------------

    @property
    def can_go_on(self) -> bool:
        """Whether what it waits for has ended, or will without another call."""
        return self._awaited.is_done if self._awaited is not None else self.training is not None

    def go_on(self) -> None:
        """Let it run until it pauses or ends; a training that it waits for ends first."""
        if self.training is not None:
            wait([self.training])
        if self._thread is None:
            # A daemon: a call that Ctrl-C left behind must not keep Python from ending.
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        else:
            self._may_run.release()
        self._has_paused.acquire()
        if self.is_done and not self._is_cancelled:
            self._when_done(self)

    def train_in(self, threads: ThreadPoolExecutor) -> None:
        """Start the training that it waits for."""
        run = self._context.copy().run
        self.training = threads.submit(
            run, _train, self.tasks, self._end_training, self._numpy_errors
        )

    def cancel(self) -> None:
        """Have it end as soon as it pauses, and wait until it has."""
        self._is_cancelled = True
        if self.training is not None:
            self._end_training.set()
            self.training.cancel()
            wait([self.training])
        if self._thread is None:
            self.is_done = True
        while not self.is_done:
            # Where Ctrl-C came while it ran, it still does, and pauses without being told to go on.
            self._may_run.release()
            self._has_paused.acquire()

    # --- for the call itself, in its thread --------------------------------------------------

    @property
    def is_current(self) -> bool:
        """Whether this is its thread, and not one that the function has started."""
        return threading.current_thread() is self._thread

    def train(self, tasks: list[TrainingTask]) -> list[Outcome]:
        """Wait until tasks are trained beside those of other calls, or train them at once."""
        program = find_program(tasks) if self.is_current else None
        if program is None:
            return train_now(tasks)
        self.tasks, self.program = tasks, program
        self._pause()
        training, self.tasks, self.training = self.training, [], None
        assert training is not None
        outcomes, messages = training.result()
        for message in messages:
            warn_caller(*message)
        return outcomes

    def wait_for(self, call: Call) -> None:
        """Wait until another call has ended."""
        while not call.is_done:
            self._awaited = call
            self._pause()
        self._awaited = None

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
        _running.set(self)
        outer_state.set(self._outer_state)
        with np.errstate(**self._numpy_errors):  # of each thread before NumPy 2
            return self._function()


def _train(
    tasks: list[TrainingTask], end: threading.Event, errors: dict[str, Any]
) -> tuple[list[Outcome], list[CollectedWarning]]:
    """Train tasks in a thread; returns what came of it, and what is to be warned of."""
    ending.set(end)
    with np.errstate(**errors), collected_warnings() as messages:
        return train_now(tasks), messages


_running: contextvars.ContextVar[Call | None] = contextvars.ContextVar("running", default=None)


def current_call() -> Call | None:
    """Return the call that this thread runs.

    Threads that a call's function starts may have its context, as by `asyncio.to_thread`, but
    are not paused: they run as they would without the call.
    """
    call = _running.get()
    return call if call is not None and call.is_current else None
