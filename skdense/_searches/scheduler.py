"""The order in which calls of a search run, and the threads that train for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from joblib import cpu_count

from .._training.task import TrainingTask
from .calls import Call, current_call

# Bytes of rows that paused calls hold, beyond which no other call begins.
_MOST_BYTES_WAITING = 2**28


class FitScheduler:
    """The calls of one `Parallel`, and of those that run inside of them.

    Calls begin one after the other, each until it trains. When all wait, their networks train in
    threads, each fit in the programs that it has alone, which gives it the same bits. Networks
    of several fits are no members of one program: XLA adds up in another order for several
    members than for one, and a difference of 1e-7 grew to 0.1 in 7,000 steps.

    The call that paused last goes on first, and ends before those below it go on: so that
    ``warnings.catch_warnings`` and the like, which change the whole process from their beginning
    to their end, are nested, as in any program with one thread.
    """

    def __init__(self) -> None:
        self._to_begin: deque[Call] = deque()
        self._stack: list[Call] = []  # have begun and not ended
        self._threads: ThreadPoolExecutor | None = None
        self._in_turn = threading.Lock()

    def add(self, function: Callable[[], Any], when_done: Callable[[Any], None]) -> Call:
        """Add a function, to be called when it is its turn."""
        call = Call(self, function, when_done)
        self._to_begin.append(call)
        return call

    def finish(self, call: Call) -> Any:
        """Run calls in turns until one has ended; returns or raises what that one did."""
        caller = current_call()
        if caller is not None and caller.scheduler is self:
            caller.wait_for(call)
        elif not self._in_turn.acquire(blocking=False):
            raise RuntimeError(
                "Results of joblib's backend 'skdense' must be read in the thread that "
                "constructed Parallel. Got another thread, while that one waits for it. Construct "
                "Parallel in the thread that calls it."
            )
        else:
            try:
                while not call.is_done:
                    self._run_turn()
            finally:
                self._in_turn.release()
        return call.result()

    def cancel(self, calls: list[Call]) -> None:
        """End calls, wherever they pause, after all that began later."""
        for call in calls:
            if call in self._to_begin:
                self._to_begin.remove(call)
                call.cancel()
        while not self._stack_is_free_of(calls):
            self._stack[-1].cancel()
            self._stack.pop()
        self._end_threads_if_idle()

    def _stack_is_free_of(self, calls: list[Call]) -> bool:
        return not any(call in calls for call in self._stack)

    def _run_turn(self) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and top.can_go_on:
            self._run(top)
        elif self._to_begin and self._holds_little():
            self._stack.append(self._to_begin.popleft())
            self._run(self._stack[-1])
        elif top is not None and top.tasks:
            self._train()
        elif self._to_begin:  # which the top waits for
            self._stack.append(self._to_begin.popleft())
            self._run(self._stack[-1])
        else:
            raise RuntimeError("A call waits for another one that cannot begin.")

    def _run(self, call: Call) -> None:
        call.go_on()
        if call.is_done and call in self._stack:
            self._stack.remove(call)
            self._end_threads_if_idle()

    def _train(self) -> None:
        """Start all trainings that calls wait for, those that the top waits for first."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(cpu_count(), "skdense-training")
        waiting = [call for call in reversed(self._stack) if call.tasks and not call.training]
        for call in _programs_first(waiting):
            call.train_in(self._threads)

    def _end_threads_if_idle(self) -> None:
        if self._threads is not None and not self._stack:
            self._threads.shutdown()
            self._threads = None

    def _holds_little(self) -> bool:
        held = {id(X): n for call in self._stack for t in call.tasks for X, n in _data_of(t)}
        return sum(held.values()) < _MOST_BYTES_WAITING


def _programs_first(calls: list[Call]) -> list[Call]:
    """Return calls, those first that are the first of their program.

    While one thread compiles a program, another that needs it would wait.
    """
    first: dict[Hashable, Call] = {}
    for call in calls:
        first.setdefault(call.program, call)
    return [*first.values(), *(call for call in calls if call not in first.values())]


def _data_of(task: TrainingTask) -> list[tuple[Any, int]]:
    """Return arrays that a task trains on and is validated on, with their sizes in bytes."""
    arrays = [task.X, task.validation.X] if task.validation else [task.X]
    return [(X, getattr(X, "nbytes", 0) or X.data.nbytes) for X in arrays]
