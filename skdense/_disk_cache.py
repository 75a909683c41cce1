"""Compiled programs kept on disk by XLA, from where later processes load them.

TensorFlow reads the directory's name once, at its first operation, and raises errors where a
file in there cannot be read or written. So it is told the path of a descriptor of this process,
which can be turned to another directory. Nobody's programs are ever deleted.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import platform
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ._warnings import warn_caller

VARIABLE = "SKDENSE_CACHE_DIR"
_FLAGS = "TF_XLA_FLAGS"
_FLAG = "--tf_xla_persistent_cache_directory"
_DESCRIPTORS = "/proc/self/fd"
_MEMORY = "/dev/shm"  # noqa: S108 - only folders made by mkdtemp
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
        Created if it does not exist; otherwise nobody else may be able to write to it, unless
        it has the sticky bit, as ``/tmp`` has. The programs are in a folder of this release of
        TensorFlow and this kind of machine, which only its owner may read or change: what is
        loaded from there is executed. It takes 0.3 to 0.5 MB for each architecture, and may be
        deleted at any time.

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
    try:
        return os.path.realpath(Path(path).expanduser())
    except RuntimeError as error:
        raise ValueError(
            "The directory of compiled programs requires a path with a user who exists after '~'."
            f" Got {os.fspath(path)!r}. Write the home directory out."
        ) from error


def is_asked_for() -> bool:
    """Say whether programs are to be kept on disk."""
    return bool(os.environ.get(VARIABLE))


def run_first(tensorflow: Any, operation: Callable[[], object]) -> str | None:
    """Run what makes TensorFlow read its flags, and compiles; returns what to warn of.

    It reads them at its first operation, and also when it is asked for devices.
    """
    global _settled
    _settled = os.environ.get(VARIABLE, "")
    if not _settled or _FLAG in os.environ.get(_FLAGS, ""):
        operation()
        return None
    try:
        _settled = _resolved(_settled)
        folder = _open_folder(_settled, tensorflow.__version__)
        trial = _make_private_directory()
        told = _turn_to(trial)
    except (OSError, ValueError) as error:
        operation()
        return _not_kept(
            "which has to be a directory that only this user may write to, with space left. "
            f"Got: {error}"
        )
    with _flag_set(f"{_FLAG}={_path(told)}"):
        operation()
    has_obeyed = bool(os.listdir(told))
    shutil.rmtree(trial, ignore_errors=True)
    _turn_to(_path(folder))
    os.close(folder)
    if has_obeyed:
        return None
    return _not_kept(
        "because TensorFlow had run before it was told so. Fit, or call set_cache_dir, before any "
        "other use of TensorFlow"
    )


def compile_anyway(run: Callable[[], Result], tensorflow: Any) -> Result:
    """Call something that compiles; where that fails, once more without the directory.

    Parameters
    ----------
    run : callable
        Starts anew at each call, because TensorFlow remembers failures.
    tensorflow : module
    """
    try:
        return run()
    except tensorflow.errors.OpError as error:
        if _told is None:
            raise
        try:
            with _turning, _turned_away(_told) as directory:
                result = run()
        except (tensorflow.errors.OpError, OSError):  # so it was not the directory's fault
            raise error from None
        got = str(error).partition(" [Op:")[0].replace(_path(_told), directory)
    warn_caller(
        _not_kept(
            f"because TensorFlow failed there. Got: {got}. If there is space left, a program may "
            f"be damaged: delete {directory}"
        )
    )
    return result


@contextlib.contextmanager
def _turned_away(told: int) -> Iterator[str]:
    """Have TensorFlow see an empty directory, for good unless that fails too.

    Yields the path of what it saw before.
    """
    before = os.dup(told)
    try:
        _turn_to(_make_private_directory())
        yield os.readlink(_path(before))
    except BaseException:
        _turn_to(_path(before))
        raise
    finally:
        os.close(before)


def _turn_to(directory: str) -> int:
    """Have TensorFlow see a directory from now on; returns the descriptor that it is told."""
    global _told
    opened = os.open(directory, os.O_DIRECTORY)
    if _told is None:
        _told = opened
    else:
        os.dup2(opened, _told, inheritable=False)
        os.close(opened)
    return _told


def _path(descriptor: int) -> str:
    return f"{_DESCRIPTORS}/{descriptor}"


def _make_private_directory() -> str:
    """Make an empty directory that goes when the process ends, in memory if there is room."""
    place = next(filter(_has_room, (_MEMORY, tempfile.gettempdir())), None)
    if place is None:
        raise OSError("no space left for temporary files")
    path = tempfile.mkdtemp(prefix="skdense-", dir=place)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _open_folder(base: str, version: str) -> int:
    """Open the folder for a release of TensorFlow on this machine, made where there is none.

    What is checked is what was opened, whatever the paths lead to by now.
    """
    if not os.path.isdir(_DESCRIPTORS):
        raise OSError(f"a system without {_DESCRIPTORS}")
    os.makedirs(base, mode=0o700, exist_ok=True)
    name = _folder_name(version)
    with contextlib.ExitStack() as opened:
        outer = _opened(opened, base)
        mode = os.fstat(outer).st_mode
        if mode & _FOR_OTHERS_TO_WRITE and not mode & stat.S_ISVTX:
            raise PermissionError(f"others may write to {base}, which has no sticky bit")
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=outer)
        folder, path = _opened(opened, name, outer), f"{base}/{name}"
        status = os.fstat(folder)
        if status.st_uid != os.geteuid() or status.st_mode & _FOR_OTHERS_TO_WRITE:
            raise PermissionError(f"{path} is another user's, or others may write to it")
        if not _has_room(_path(folder)):
            raise OSError(f"{path} is not writable, or has no space left")
        return os.dup(folder)


def _opened(stack: contextlib.ExitStack, path: str, within: int | None = None) -> int:
    descriptor = os.open(path, os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
    stack.callback(os.close, descriptor)
    return descriptor


def _has_room(directory: str) -> bool:
    is_writable = os.access(directory, os.W_OK)
    return is_writable and shutil.disk_usage(directory).free >= _LEAST_FREE_BYTES


def _folder_name(version: str) -> str:
    """Name what compiled code depends on: release, processor, accelerators, XLA's flags."""
    processor = _lines("/proc/cpuinfo", "flags", "Features") or {platform.processor()}
    # TensorFlow cannot be asked, because it reads its flags in order to answer.
    drivers = Path("/proc/driver/nvidia/gpus").glob("*/information")
    accelerators = set[str]().union(*(_lines(driver, "Model") for driver in drivers))
    machine = platform.machine(), sorted(processor), sorted(accelerators)
    digest = hashlib.sha256(repr((machine, os.environ.get("XLA_FLAGS"))).encode()).hexdigest()
    return f"tensorflow-{version}-{digest[:16]}"


def _lines(path: str | Path, *starts: str) -> set[str]:
    try:
        return {line for line in Path(path).read_text().splitlines() if line.startswith(starts)}
    except OSError:
        return set()


@contextlib.contextmanager
def _flag_set(flag: str) -> Iterator[None]:
    before = os.environ.get(_FLAGS)
    os.environ[_FLAGS] = f"{before or ''} {flag}".strip()
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FLAGS]
        else:
            os.environ[_FLAGS] = before


def _not_kept(reason: str) -> str:
    return (
        f"Compiled programs are not kept in {os.environ.get(VARIABLE)!r} ({VARIABLE}), {reason}. "
        "This process compiles its own."
    )
