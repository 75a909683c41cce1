"""Calls that take turns until all that can go on have gone on; then what they train trains."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .._training.fusing import FusedTrainings
from .._training.task import TrainingTask
from .calls import Call, running

# Of rows that calls hold while they wait, beyond which no other one begins.
_MOST_BYTES_WAITING = 2**28


class Crowd:
    """The calls of one `Parallel`, and of those that run inside of them."""

    def __init__(self) -> None:
        self._to_begin: deque[Call] = deque()
        self._waiting: list[Call] = []  # have begun, and wait for a training or for another call
        self._trainings: FusedTrainings | None = None

    def add(self, function: Callable[[], Any], when_done: Callable[[Any], None]) -> Call:
        """Take a function in, to be called when it is its turn."""
        call = Call(self, function, when_done)
        self._to_begin.append(call)
        return call

    def finish(self, call: Call) -> Any:
        """Let calls take turns until one has ended; returns or raises what that one did."""
        own = running.get()
        if own is not None and own.crowd is self:
            own.wait_for(call)
        while not call.is_done:
            self._take_a_turn()
        return call.result()

    def cancel(self, calls: list[Call]) -> None:
        """End calls, in whatever they are about."""
        for call in calls:
            if call in self._to_begin:
                self._to_begin.remove(call)
            if not call.is_done:
                call.cancel()
            if call in self._waiting:
                self._waiting.remove(call)
        if not self._waiting:
            self._end_trainings()

    def _take_a_turn(self) -> None:
        ready = next((c for c in self._waiting if c.awaited and c.awaited.is_done), None)
        if ready is None and self._to_begin and self._has_room():
            ready = self._to_begin.popleft()
            self._waiting.append(ready)
        if ready is None:
            self._train()
        else:
            self._let_go_on(ready)

    def _let_go_on(self, call: Call, *outcomes: Any) -> None:
        call.go_on(*outcomes)
        if call.is_done and call in self._waiting:
            self._waiting.remove(call)
        elif call.tasks:
            self._trainings = self._trainings or FusedTrainings()
            self._trainings.add(call, call.tasks)

    def _train(self) -> None:
        assert self._trainings is not None, "calls that wait for nothing that trains"
        for call, outcomes in self._trainings.results():
            if not call.is_done:  # or cancelled
                self._let_go_on(call, outcomes)
        self._end_trainings()

    def _end_trainings(self) -> None:
        if self._trainings is not None:
            self._trainings.end()
            self._trainings = None

    def _has_room(self) -> bool:
        held = {id(X): n for c in self._waiting for t in c.tasks or () for X, n in _data_of(t)}
        return sum(held.values()) < _MOST_BYTES_WAITING


def _data_of(task: TrainingTask) -> list[tuple[Any, int]]:
    """Return arrays that a task trains on and is watched on, with their sizes in bytes."""
    arrays = [task.X, task.validation.X] if task.validation else [task.X]
    return [(X, getattr(X, "nbytes", 0) or X.data.nbytes) for X in arrays]
