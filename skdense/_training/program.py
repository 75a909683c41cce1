"""The compiled training program: many steps of many networks in one XLA computation.

A program is compiled once for each `ProgramSpec`, which holds all that is static. Whatever may
differ between two fits of one architecture, data and numbers alike, comes in as tensors.
"""

from __future__ import annotations

import gc
import threading
from contextlib import nullcontext
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from .._backend.disk_cache import compile_anyway, is_asked_for
from .._backend.function_names import named_after
from .._backend.garbage import collected_later
from .._backend.loading import load_tensorflow
from .program_spec import ChunkTensors, Numbers, ProgramSpec, State
from .training_steps import run_steps

# Memory mappings to leave free. A program takes 125 to some 400 of Linux' 65,530.
_ROOM_FOR_CODE = 3_000
# Programs kept for the next fit, of which the one used longest ago goes first: 5 to 10 MB each.
_MOST_KEPT = 128

_lock = threading.Lock()
_n_traces = 0


def trace_count() -> int:
    """Return how many programs have been traced in this process."""
    return _n_traces


class Program:
    """The compiled function of one spec, traced when it is first called.

    It lives in a graph and a session of its own, since XLA frees a program's code only with the
    session: the code of a `tf.function` that is called eagerly stays until the process ends, 5 to
    10 MB and 125 to 400 memory mappings each, of which Linux grants 65,530.
    """

    def __init__(self, spec: ProgramSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()  # or else two threads trace the same program
        self._session: _Session | None = None

    @property
    def is_compiled(self) -> bool:
        return self._session is not None

    def __call__(
        self, state: State, data: ChunkTensors, numbers: Numbers
    ) -> tuple[State, Any, Any]:
        """Run the steps of `data`.

        Returns
        -------
        state : State
        values : ndarray of shape (steps, members, 1 + metrics)
            Loss and metrics of each step.
        snapshots : ndarray of shape (snapshots, members, weights)
            The weights at each of ``data.ends``, one after the other, flattened; empty for a
            spec without snapshots.
        """
        arguments = state, data, numbers
        with self._lock:
            if self._session is None:
                return self._run_first(arguments)
        return self._session(arguments)

    def _run_first(self, arguments: Any) -> Any:
        def run() -> tuple[_Session, Any]:
            session = _Session(self._spec, arguments)
            return session, session(arguments)  # which compiles

        self._session, result = compile_anyway(run, load_tensorflow())
        return result


class _Session:
    """A traced program, ready to run; its code is freed with it."""

    def __init__(self, spec: ProgramSpec, arguments: Any) -> None:
        global _n_traces
        with _lock:
            _n_traces += 1
        tf = load_tensorflow()
        v1 = tf.compat.v1
        run = tf.function(partial(run_steps, spec), jit_compile=True, autograph=False)
        naming = named_after(spec) if is_asked_for() else nullcontext()
        graph = tf.Graph()
        with graph.as_default(), naming, collected_later():
            feeds = tf.nest.map_structure(lambda a: v1.placeholder(a.dtype, a.shape), arguments)
            self._fetches = run.get_concrete_function(*feeds)(*feeds)
        # Run in the caller's thread: handing over to another one takes longer than a short call.
        config = v1.ConfigProto(inter_op_parallelism_threads=-1)
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        self._session = v1.Session(graph=graph, config=config)
        self._call = self._session.make_callable(
            tf.nest.flatten(self._fetches), tf.nest.flatten(feeds)
        )

    def __call__(self, arguments: Any) -> Any:
        nest = load_tensorflow().nest
        return nest.pack_sequence_as(self._fetches, self._call(*nest.flatten(arguments)))


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
