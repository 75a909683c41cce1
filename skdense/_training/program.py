"""The compiled training program: many steps of many networks in one XLA computation.

A program is compiled once for each `ProgramSpec`, which holds all that is static. Whatever may
differ between two fits of one architecture, data and numbers alike, comes in as tensors.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from .._backend.disk_cache import compile_anyway, is_asked_for
from .._backend.function_names import named_after
from .._backend.garbage import collected_later
from .._backend.loading import load_tensorflow
from .._networks.stages.stage import Tensor
from .program_spec import ChunkTensors, Numbers, ProgramSpec, State
from .training_steps import run_steps

# Memory mappings to leave free. A program takes 125 to some 400 of Linux' 65,530, so that about
# 400 architectures fit in a process.
_ROOM_FOR_CODE = 3_000

_lock = threading.Lock()
_n_traces = 0


def trace_count() -> int:
    """Return how many programs have been traced in this process."""
    return _n_traces


class Program:
    """The compiled function of one spec, traced when it is first called.

    Traced once, as a concrete function: `tf.function` would look for a trace at each call,
    and warns about retracing when many architectures share one Python function.
    """

    def __init__(self, spec: ProgramSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()  # or else two threads trace the same program
        self._concrete: Any = None

    @property
    def is_traced(self) -> bool:
        return self._concrete is not None

    def __call__(
        self, state: State, data: ChunkTensors, numbers: Numbers
    ) -> tuple[State, Tensor, Tensor]:
        """Run the steps of `data`.

        Returns
        -------
        state : State
        values : tensor of shape (steps, members, 1 + metrics)
            Loss and metrics of each step.
        snapshots : tensor of shape (snapshots, members, weights)
            The weights at each of ``data.ends``, one after the other, flattened; empty for a
            spec without snapshots.
        """
        with self._lock:
            if self._concrete is None:
                return self._run_first(state, data, numbers)
        result: tuple[State, Tensor, Tensor]
        result = self._concrete(state, data, numbers)
        return result

    def _run_first(
        self, state: State, data: ChunkTensors, numbers: Numbers
    ) -> tuple[State, Tensor, Tensor]:
        def run() -> tuple[Any, tuple[State, Tensor, Tensor]]:
            concrete = self._trace(state, data, numbers)
            return concrete, concrete(state, data, numbers)  # which compiles

        tf = load_tensorflow()
        concrete, result = compile_anyway(run, tf)
        self._concrete = concrete
        return result

    def _trace(self, state: State, data: ChunkTensors, numbers: Numbers) -> Any:
        global _n_traces
        tf = load_tensorflow()
        with _lock:
            _n_traces += 1
        run = tf.function(partial(run_steps, self._spec), jit_compile=True, autograph=False)
        naming = named_after(self._spec) if is_asked_for() else nullcontext()
        with naming, collected_later():
            return run.get_concrete_function(state, data, numbers)


def has_room_for(spec: ProgramSpec) -> bool:
    """Say whether a spec's program is compiled, or the system lets XLA map its code.

    XLA keeps the code of every program for good, and crashes where it gets no more mappings.
    """
    return get_program(spec).is_traced or _has_room_for_code()


def _has_room_for_code() -> bool:
    try:
        most = int(Path("/proc/sys/vm/max_map_count").read_text())
        used = Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:  # not Linux, and no such limit
        return True
    return used + _ROOM_FOR_CODE < most


# XLA keeps 8 to 14 MB for each program for good, whether or not it is cached here.
_cached_program = lru_cache(maxsize=512)(Program)


def get_program(spec: ProgramSpec) -> Program:
    """Return the program of a spec, the same one for equal specs."""
    with _lock:  # lru_cache alone lets two threads build two
        return _cached_program(spec)


def clear_programs() -> None:
    """Forget all programs; the next fit of each architecture compiles again."""
    with _lock:
        _cached_program.cache_clear()
