"""Compiled programs kept on disk by XLA, from where later processes load them.

TensorFlow reads the directory's name once, at its first operation, and raises errors where a
file in there cannot be read or written. So it is told the path of a descriptor of this process,
which can be turned to another directory. Nothing in the user's directory is ever deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from .at_exit import at_exit
from .warnings import warn_caller

VARIABLE = "SKDENSE_CACHE_DIR"
_FLAGS = "TF_XLA_FLAGS"
_FLAG = "--tf_xla_persistent_cache_directory"
_FOR_OTHERS_TO_WRITE = 0o022
_LEAST_FREE_BYTES = 2**23  # some twenty programs

Result = TypeVar("Result")

_settled: str | None = None  # what TensorFlow was started with, "" if without; None before that
_told: int | None = None  # the descriptor whose path TensorFlow was told
_turning = threading.RLock()


def set_cache_dir(path: str | os.PathLike[str]) -> None:
    """Keep compiled programs in a directory, for other processes and for later ones.

    The first fit of an architecture compiles; one that was compiled before, by any process, is
    then loaded in less than half of the time. Has to be called before TensorFlow runs its first
    operation, in a fit for example. The same as setting the environment variable
    ``SKDENSE_CACHE_DIR``, which worker processes inherit. On Linux only.

    Parameters
    ----------
    path : path-like
        Created if it does not exist; nobody else may be able to write to it, unless it has the
        sticky bit, as ``/tmp`` has. The programs are in a folder of this release of TensorFlow
        and this kind of machine, which only its owner may read or change: what is loaded from
        there is executed. It takes 0.3 to 0.5 MB for each architecture, and may be deleted at
        any time.

    Raises
    ------
    RuntimeError
        If a fit in this process has already loaded TensorFlow without this directory.
    ValueError
        If the path begins with the home of a user who does not exist.

    Notes
    -----
    Code that you compile yourself, by ``tf.function(jit_compile=True)``, is kept there too. A
    directory that cannot be used, or stops working, does not fail a fit: a warning says so, and
    programs are compiled as usual. TensorFlow 2.16 writes programs there but does not find them
    again.

    Examples
    --------
    >>> import tempfile
    >>> import skdense
    >>> skdense.set_cache_dir(tempfile.mkdtemp())  # doctest: +SKIP
    """
    resolved = _resolved(path)
    if _settled not in (None, resolved):
        raise RuntimeError(
            "The directory of compiled programs must be set before the first fit, since "
            f"TensorFlow reads it once. Got {resolved!r} in a process that has loaded "
            "TensorFlow. Call set_cache_dir right after the imports, or set the environment "
            f"variable {VARIABLE}."
        )
    os.environ[VARIABLE] = resolved


def _resolved(path: str | os.PathLike[str]) -> str:
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise ValueError(
            "'~' must begin the home of a user who exists. Got a directory of compiled programs "
            f"{expanded!r}. Write the home directory out."
        )
    return os.path.realpath(expanded)


def is_asked_for() -> bool:
    """Say whether programs are to be kept on disk."""
    return bool(os.environ.get(VARIABLE))


def run_first(tensorflow: Any, operation: Callable[[], object]) -> str | None:
    """Run what makes TensorFlow read its flags, and compiles; returns what to warn of.

    It reads them at its first operation, and also when it is asked for devices.
    """
    global _settled, _told
    _settled = os.environ.get(VARIABLE, "")
    if not _settled or _FLAG in os.environ.get(_FLAGS, ""):
        operation()
        return None
    with contextlib.ExitStack() as trying:
        try:
            _settled = _resolved(_settled)
            told = _told  # not None where an operation failed after TensorFlow had been told
            if told is None:
                told = _open_folder(_settled, _folder_name(tensorflow.__version__))
            trial = trying.enter_context(_turned_away(told))
        except (OSError, ValueError) as error:
            operation()
            return _not_kept(
                "which requires Linux, and a directory that only this user may write to, with "
                f"space left. Got: {error}"
            )
        trying.enter_context(_flag_set(f"{_FLAG}={_path(told)}"))
        _told = told
        operation()
        if os.listdir(trial):
            return None
    os.close(told)
    _told = None
    return _not_kept(
        "because TensorFlow had run before it was told so. Fit, or call set_cache_dir, before any "
        "other use of TensorFlow"
    )


@contextlib.contextmanager
def _flag_set(flag: str) -> Iterator[None]:
    before = os.environ.get(_FLAGS)
    os.environ[_FLAGS] = f"{before or ''} {flag}"
    try:
        yield
    finally:
        del os.environ[_FLAGS]
        os.environ.update({} if before is None else {_FLAGS: before})


def compile_anyway(run: Callable[[], Result], tensorflow: Any) -> Result:
    """Call something that compiles; where that fails, once more without the directory.

    It has to start anew at each call, because TensorFlow remembers failures.
    """
    try:
        return run()
    except tensorflow.errors.OpError as error:
        told, got = _told, str(error).partition(" [Op:")[0]
        is_exhausted = isinstance(error, tensorflow.errors.ResourceExhaustedError)
        # Space runs out in a file that is named, memory does not.
        if told is None or (is_exhausted and f"{_path(told)}/" not in got):
            raise
        try:
            with _turning, contextlib.ExitStack() as back:
                back.enter_context(_turned_away(told))
                result = run()
                at_exit(back.pop_all().close)
        except OSError:  # so there is nowhere to turn to
            raise error from None
    warn_caller(
        _not_kept(
            f"because TensorFlow failed there. Got: {got}. If there is space left, a program may "
            "be damaged: delete the directory"
        )
    )
    return result


@contextlib.contextmanager
def _turned_away(told: int) -> Iterator[str]:
    """Have TensorFlow see an empty directory: in memory, since the disk may be what is full."""
    places = filter(_has_room, ("/dev/shm", tempfile.gettempdir()))  # noqa: S108 - for mkdtemp
    place = next(places, None)
    if place is None:
        raise OSError("no space left for temporary files")
    path, before = tempfile.mkdtemp(prefix="skdense-", dir=place), os.dup(told)
    try:
        with _opened(path) as directory:
            os.dup2(directory, told, inheritable=False)
        yield path
    finally:
        os.dup2(before, told, inheritable=False)
        os.close(before)
        shutil.rmtree(path, ignore_errors=True)


def _path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _open_folder(base: str, name: str) -> int:
    """Open a private folder, made where there is none; what is opened is what is checked."""
    os.makedirs(base, mode=0o700, exist_ok=True)
    with _opened(base) as outer:
        mode = os.fstat(outer).st_mode
        if mode & _FOR_OTHERS_TO_WRITE and not mode & stat.S_ISVTX:
            raise PermissionError(f"others may write to {base}, which has no sticky bit")
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=outer)
        with _opened(name, outer) as folder:
            status = os.fstat(folder)
            if status.st_uid != os.geteuid() or status.st_mode & _FOR_OTHERS_TO_WRITE:
                raise PermissionError(f"{base}/{name} is another user's, or open to others")
            if not _has_room(_path(folder)):
                raise OSError(f"{base}/{name} is not writable, or has no space left")
            return os.dup(folder)


@contextlib.contextmanager
def _opened(path: str, within: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _has_room(directory: str) -> bool:
    is_writable = os.access(directory, os.W_OK | os.X_OK)
    return is_writable and shutil.disk_usage(directory).free >= _LEAST_FREE_BYTES


def _folder_name(version: str) -> str:
    """Name what compiled code depends on: release, processor, accelerators, XLA's flags."""
    # TensorFlow cannot be asked, because it reads its flags in order to answer.
    paths = Path("/proc/cpuinfo"), *Path("/proc/driver/nvidia/gpus").glob("*/information")
    lines = {line for path in paths for line in path.read_text().splitlines()}
    machine = sorted(line for line in lines if line.startswith(("flags", "Features", "Model:")))
    digest = hashlib.sha256(repr((machine, os.environ.get("XLA_FLAGS"))).encode()).hexdigest()
    return f"tensorflow-{version}-{digest[:16]}"


def _not_kept(reason: str) -> str:
    return (
        f"Compiled programs are not kept in {os.environ.get(VARIABLE)!r} ({VARIABLE}), {reason}. "
        "This process compiles its own."
    )
