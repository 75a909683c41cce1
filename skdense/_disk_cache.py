"""Compiled programs kept on disk by XLA, from where later processes load them.

TensorFlow takes the directory from an environment variable when it runs its first operation,
and cannot be told another one later; nor does it go on where the directory fails it. So what it
is told is, on Linux, the path of a file descriptor of this process, which can be turned to
another directory.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ._warnings import warn_caller

VARIABLE = "SKDENSE_CACHE_DIR"
_FLAGS = "TF_XLA_FLAGS"
_FLAG = "--tf_xla_persistent_cache_directory"
_DESCRIPTORS = Path("/proc/self/fd")
_FOR_OTHERS_TO_WRITE = 0o022
# Where a process can keep files when no disk can.
_MEMORY = Path("/dev/shm")  # noqa: S108 - only folders made by mkdtemp
_PROGRAMS = "xla_compile_cache__*"
_SIZE_OF_PROGRAM = 2**20
_LEAST_FREE_BYTES = 8 * _SIZE_OF_PROGRAM

Result = TypeVar("Result")


@dataclass
class _Cache:
    """What this process keeps.

    Attributes
    ----------
    is_settled : bool
        Whether TensorFlow has been told, or that there is nothing to be told.
    directory : Path or None
        Of this TensorFlow on this kind of machine; None while there is none in use.
    descriptor : int or None
        Through which TensorFlow sees it.
    complaints : list of str
        For the user, once stderr is the user's.
    """

    is_settled: bool = False
    directory: Path | None = None
    descriptor: int | None = None
    complaints: list[str] = field(default_factory=list)


_cache = _Cache()
_turning = threading.RLock()


def set_cache_dir(path: str | os.PathLike[str]) -> None:
    """Keep compiled programs in a directory, for other processes and for later ones.

    The first fit of an architecture compiles; one that was compiled before, by any process, is
    then loaded in less than half of the time. Has to be called before TensorFlow runs its first
    operation, in a fit for example. The same as setting the environment variable
    ``SKDENSE_CACHE_DIR``, which worker processes inherit.

    Parameters
    ----------
    path : path-like
        Created if it does not exist. The programs are in a folder of this release of
        TensorFlow and this kind of machine, which only its owner may read or change: what is
        loaded from there is executed. It takes 0.3 to 0.5 MB for each architecture, and may be
        deleted at any time.

    Raises
    ------
    RuntimeError
        If a fit in this process has already loaded TensorFlow without this directory.

    Notes
    -----
    Code that you compile yourself, by ``tf.function(jit_compile=True)``, is kept there too. A
    directory that cannot be used does not fail a fit: a warning says so, and programs are
    compiled as usual. TensorFlow 2.16 writes programs there but does not find them again.

    Examples
    --------
    >>> import tempfile
    >>> import skdense
    >>> skdense.set_cache_dir(tempfile.mkdtemp())  # doctest: +SKIP
    """
    resolved = _resolved(path)
    before = os.environ.get(VARIABLE)
    if _cache.is_settled and (not before or resolved != _resolved(before)):
        raise RuntimeError(
            "The directory of compiled programs must be set before the first fit, since "
            f"TensorFlow reads it once. Got {str(resolved)!r} in a process that has loaded "
            "TensorFlow. Call set_cache_dir right after the imports, or set the environment "
            f"variable {VARIABLE}."
        )
    os.environ[VARIABLE] = str(resolved)


def _resolved(path: str | os.PathLike[str]) -> Path:
    return Path(path).expanduser().resolve()


def is_asked_for() -> bool:
    """Say whether programs are to be kept on disk."""
    return bool(os.environ.get(VARIABLE))


def run_first(tensorflow: Any, operation: Callable[[], object]) -> None:
    """Run what makes TensorFlow read its flags, and compiles; `report` says what went wrong.

    It reads them at its first operation, and also when it is asked for devices.
    """
    _cache.is_settled = True
    if not is_asked_for() or _FLAG in os.environ.get(_FLAGS, ""):
        operation()
        return
    try:
        directory = _own_directory(tensorflow.__version__)
        trial = Path(tempfile.mkdtemp(prefix="trial-", dir=directory))
    except OSError as error:
        _complain_of_directory(error)
        operation()
        return
    try:
        _run_on_trial(tensorflow, operation, directory, trial)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _run_on_trial(
    tensorflow: Any, operation: Callable[[], object], directory: Path, trial: Path
) -> None:
    """See in an empty directory whether TensorFlow does as it is told, then turn to the other."""
    _cache.directory = directory
    if _DESCRIPTORS.is_dir():
        _cache.descriptor = os.open(trial, os.O_RDONLY)
        told = _DESCRIPTORS / str(_cache.descriptor)
    else:
        told = trial = directory
    with _flag_set(f"{_FLAG}={told}"):
        _retried(operation, tensorflow, trial)
    if _cache.directory is None:
        return
    if not any(trial.iterdir()):
        _cache.directory = None
        _complain(
            "because TensorFlow had run before it was told so. Fit, or call set_cache_dir, before "
            "any other use of TensorFlow"
        )
    elif _cache.descriptor is not None:
        _turn_to(directory)


def compile_anyway(run: Callable[[], Result], tensorflow: Any) -> Result:
    """Call something that compiles, as well as can be where the directory fails it.

    Parameters
    ----------
    run : callable
        Starts anew at each call, because TensorFlow remembers failures.
    tensorflow : module
    """
    result = _retried(run, tensorflow, _cache.directory)
    report()
    return result


def report() -> None:
    """Warn of what went wrong with the directory since the last report."""
    while _cache.complaints:
        warn_caller(_cache.complaints.pop())


def _retried(run: Callable[[], Result], tensorflow: Any, directory: Path | None) -> Result:
    """Call `run`, and where it fails once more with TensorFlow turned to another directory."""
    try:
        return run()
    except tensorflow.errors.OpError as error:
        if directory is None or _cache.descriptor is None:
            raise
        with _turning:
            return _run_elsewhere(run, directory, error)


def _run_elsewhere(run: Callable[[], Result], directory: Path, error: Exception) -> Result:
    """Blame the directory for an error that does not come in an empty one.

    What it holds is deleted then, since something in there is broken, or it is given up.
    """
    in_memory = os.access(_MEMORY, os.W_OK)
    elsewhere = tempfile.mkdtemp(prefix="skdense-", dir=_MEMORY if in_memory else None)
    atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
    _turn_to(elsewhere)
    try:
        result = run()
    except BaseException:
        _turn_to(directory)
        raise
    if _has_room(directory):
        with contextlib.suppress(OSError):  # programs that are not kept compile again
            _replace_programs(directory, Path(elsewhere))
        _turn_to(directory)
    elif _cache.directory is not None:
        _cache.directory = None
        _complain_of_directory(error)
    return result


def _replace_programs(directory: Path, elsewhere: Path) -> None:
    for path in directory.glob(_PROGRAMS):
        path.unlink(missing_ok=True)
    for path in elsewhere.glob(_PROGRAMS):
        copy = shutil.copy(path, directory / f"copy-{path.name}")
        os.replace(copy, directory / path.name)  # at once, since others may be reading


def _has_room(directory: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_SIZE_OF_PROGRAM))
            file.flush()
    except OSError:
        return False
    return True


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


def _own_directory(version: str) -> Path:
    """Create or check the folder for a release of TensorFlow on this machine."""
    base = _resolved(os.environ[VARIABLE])
    base.mkdir(parents=True, exist_ok=True)
    directory = base / _folder_name(version)
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.stat()
    if hasattr(os, "geteuid") and (
        status.st_uid != os.geteuid() or status.st_mode & _FOR_OTHERS_TO_WRITE
    ):
        raise PermissionError(f"{directory} is another user's, or others may write to it")
    if shutil.disk_usage(directory).free < _LEAST_FREE_BYTES:
        raise OSError(f"{directory} has no space left")
    return directory


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


def _turn_to(directory: str | Path) -> None:
    """Have TensorFlow see another directory from now on."""
    assert _cache.descriptor is not None
    own = os.open(directory, os.O_RDONLY)
    os.dup2(own, _cache.descriptor, inheritable=False)
    os.close(own)


def _complain_of_directory(error: Exception) -> None:
    what = str(error).partition(" [Op:")[0]
    _complain(
        "which has to be a directory of this user's alone, writable, and with space left. "
        f"Got: {what}"
    )


def _complain(reason: str) -> None:
    _cache.complaints.append(
        f"Compiled programs are not kept in {os.environ.get(VARIABLE)!r} ({VARIABLE}), {reason}. "
        "This process compiles its own."
    )
