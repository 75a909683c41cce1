"""Loading TensorFlow: late, quietly, with the right Keras backend, and never in a forked child."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from . import disk_cache
from .garbage import counted_as_old
from .held_interrupts import held_interrupts
from .warnings import warn_caller

_lock = threading.Lock()
_is_loaded = False
_loaded_before_fork = False


def _after_fork_in_child() -> None:
    global _lock, _loaded_before_fork
    _lock = threading.Lock()  # the parent's may have been held by a thread that is not here
    # Whoever loaded it: TensorFlow has no public word on whether it has run.
    _loaded_before_fork = "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):  # absent on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork_in_child)


def load_tensorflow() -> Any:
    """Import TensorFlow.

    Where nothing has imported it yet, its start-up lines are kept off stderr. Memory growth is
    switched on for GPUs that nobody has configured.

    Raises
    ------
    RuntimeError
        In a child forked after its parent loaded TensorFlow (whose threads the fork did not
        copy, so that the first operation would hang), or if Keras uses another backend.
    """
    if not _is_loaded or _loaded_before_fork:
        _load()
    return sys.modules["tensorflow"]


def load_keras() -> Any:
    """Import Keras, with TensorFlow as its backend; see `load_tensorflow`."""
    if not _is_loaded or _loaded_before_fork:
        _load()
    return sys.modules["keras"]


def _load() -> None:
    if _loaded_before_fork:
        raise RuntimeError(
            "Training, and Keras models, need a process not forked from one with TensorFlow, "
            "or they hang. Got a child that was forked after TensorFlow had been loaded, by "
            "a fit for example. Start workers with the 'spawn' or 'forkserver' method, or with "
            "joblib's default 'loky' backend. Predicting works here, save with an activation "
            "that only Keras knows."
        )
    complaint = None
    with _lock:
        if not _is_loaded:
            with held_interrupts():  # half of TensorFlow imported would be broken for good
                complaint = _load_first()
    if complaint:  # only now, since stderr was silent
        warn_caller(complaint)


def require_eager() -> None:
    """Raise RuntimeError where operations do not run at once but build a graph."""
    tf = load_tensorflow()
    if not tf.executing_eagerly():
        raise RuntimeError(
            "skdense needs TensorFlow to run its operations at once. Got a call inside of a "
            "tf.Graph or of a tf.function, or after tf.compat.v1.disable_eager_execution(), where "
            "operations only build a graph. Call it outside."
        )


def _load_first() -> str | None:
    global _is_loaded
    is_imported = "keras" in sys.modules and "tensorflow" in sys.modules
    with contextlib.nullcontext() if is_imported else _silent_start_up():
        complaint = _start(is_imported)
    _is_loaded = True
    return complaint


def _start(is_imported: bool) -> str | None:
    """Import them, and run the first operation; returns what to warn of."""
    try:
        with contextlib.nullcontext() if is_imported else counted_as_old():
            import keras  # noqa: F401 - found in sys.modules from here on
    except ImportError as error:
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        raise error if backend == "tensorflow" else _wrong_backend(backend) from error
    _require_tensorflow_backend()
    import tensorflow

    def run_first() -> None:
        _let_gpu_memory_grow(tensorflow)
        # XLA announces itself at its first program, in TensorFlow before 2.18 at any log level.
        if not is_imported or disk_cache.is_asked_for():
            tensorflow.function(tensorflow.identity, jit_compile=True)(0.0)

    return disk_cache.run_first(tensorflow, run_first)


def callable_options(**fields: Any) -> Any:
    """Return TensorFlow's description of what a session is to be called with, a protocol buffer.

    No public name leads to it.
    """
    from tensorflow.core.protobuf.config_pb2 import CallableOptions

    return CallableOptions(**fields)


def _require_tensorflow_backend() -> None:
    backend = sys.modules["keras"].config.backend()
    if backend != "tensorflow":
        raise _wrong_backend(backend)


def _wrong_backend(backend: str) -> RuntimeError:
    return RuntimeError(
        f"skdense requires Keras to run on the 'tensorflow' backend. Got backend {backend!r}. "
        "Set the environment variable KERAS_BACKEND=tensorflow (or the 'backend' entry of "
        "~/.keras/keras.json) before Keras is imported."
    )


def _let_gpu_memory_grow(tensorflow: Any) -> None:
    for gpu in tensorflow.config.list_physical_devices("GPU"):
        # RuntimeError: the device already runs, so somebody else has decided.
        with contextlib.suppress(RuntimeError, ValueError):
            tensorflow.config.experimental.set_memory_growth(gpu, True)


@contextlib.contextmanager
def _silent_start_up() -> Iterator[None]:
    """Discard what TensorFlow's C++ code writes to file descriptor 2 while it loads.

    The log level alone does not do: the first lines come before it is read. It is set for
    the import, when TensorFlow reads it, and put back afterwards.
    """
    level = "TF_CPP_MIN_LOG_LEVEL"
    before = os.environ.get(level)
    os.environ.setdefault(level, "3")
    sys.stderr.flush() if sys.stderr else None
    saved = os.dup(2)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(devnull)
        if before is None:
            del os.environ[level]
