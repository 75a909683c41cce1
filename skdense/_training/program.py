"""The compiled training program: many steps of many networks in one XLA computation.

A program is compiled once for each `ProgramSpec`, which holds all that is static. Whatever may
differ between two fits of one architecture, data and numbers alike, comes in as tensors.
"""

from __future__ import annotations

import gc
import threading
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from .._backend.at_exit import at_exit
from .._backend.compiled_function import CompiledFunction
from .._backend.disk_cache import compile_anyway
from .._backend.loading import load_tensorflow
from .._networks.stages.stage import StageTensors
from .program_spec import ChunkTensors, Numbers, ProgramSpec, State
from .training_steps import run_steps

# Memory mappings to leave free. A program takes 125 to some 400 of Linux' 65,530.
_ROOM_FOR_CODE = 3_000
# Programs kept for the next fit, of which the one used longest ago goes first. At 4 to 9 MB each,
# this many take 0.5 to 1.2 GB.
_MOST_KEPT = 128

_lock = threading.Lock()
_n_traces = 0


def trace_count() -> int:
    """Return how many programs have been traced in this process."""
    return _n_traces


class Program:
    """The compiled function of one spec, traced when it is first called."""

    def __init__(self, spec: ProgramSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()  # or else two threads trace the same program
        self._compiled: CompiledFunction | None = None
        # An argument, since XLA would compile for longer to make zeros of its own.
        self._values = np.zeros(spec.shape_of_values, spec.dtype)

    @property
    def is_compiled(self) -> bool:
        return self._compiled is not None

    def __call__(
        self, state: State, fitted: list[StageTensors], data: ChunkTensors, numbers: Numbers
    ) -> tuple[State, Any, Any]:
        """Run the steps of `data`; arguments and results are arrays.

        Parameters
        ----------
        state : State
        fitted : list of dict
            Each stage's weights that no step changes, with a leading member axis.
        data : ChunkTensors
        numbers : Numbers

        Returns
        -------
        state : State
            With `step` as it came.
        values : ndarray of shape (steps, members, 1 + metrics)
            Loss and metrics of each step.
        snapshots : ndarray of shape (snapshots, members, weights)
            The weights that steps change, after each of ``data.ends``, flattened; empty for a spec
            without snapshots.
        """
        arguments = state, fitted, data, numbers, self._values
        with self._lock:
            if self._compiled is None:
                return self._run_first(arguments)
        result: tuple[State, Any, Any] = self._compiled(arguments)
        return result

    def _run_first(self, arguments: tuple[Any, ...]) -> tuple[State, Any, Any]:
        def run() -> tuple[CompiledFunction, tuple[State, Any, Any]]:
            global _n_traces
            with _lock:
                _n_traces += 1
            compiled = CompiledFunction(partial(run_steps, self._spec), arguments)
            return compiled, compiled(arguments)  # which compiles

        _clear_at_end()
        self._compiled, result = compile_anyway(run, load_tensorflow())
        return result


def has_room_for(spec: ProgramSpec) -> bool:
    """Say whether a spec's program is compiled, or the system lets XLA map its code.

    XLA crashes where it gets no more mappings. All that other programs hold are given up first.
    """
    if get_program(spec).is_compiled or _has_room_for_code():
        return True
    clear_programs()
    gc.collect()
    return _has_room_for_code()


def _has_room_for_code() -> bool:
    try:
        most = int(Path("/proc/sys/vm/max_map_count").read_text())
        used = Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:  # not Linux, and no such limit
        return True
    return used + _ROOM_FOR_CODE < most


_cached_program = lru_cache(maxsize=_MOST_KEPT)(Program)


def get_program(spec: ProgramSpec) -> Program:
    """Return the program of a spec, the same one for equal specs."""
    with _lock:  # lru_cache alone lets two threads build two
        return _cached_program(spec)


def clear_programs() -> None:
    """Free all programs; the next fit of each architecture compiles again."""
    with _lock:
        _cached_program.cache_clear()


@cache
def _clear_at_end() -> None:
    """Have programs freed before Python takes TensorFlow apart, or they complain on stderr."""
    at_exit(clear_programs)
