"""How much memory this process may have: of the machine, its container, and its own limits."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class _Version(NamedTuple):
    """What a version of control groups calls a group's limit, and the memory that is in use.

    In use is what no file backs: the kernel drops the pages of files when memory gets short.
    """

    file_system: str
    limit: str
    in_use: str


_VERSIONS = (
    _Version("cgroup2", "memory.max", "anon"),
    _Version("cgroup", "memory.limit_in_bytes", "total_rss"),
)


def usable_memory() -> int:
    """Return how many bytes this process can have at most; `sys.maxsize` where no system says."""
    try:
        import resource
    except ImportError:  # on Windows
        return sys.maxsize
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    limits += [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    limits.append(memory_of_control_groups())
    return min(limit for limit in limits if limit != resource.RLIM_INFINITY)


def memory_of_control_groups(root: Path = Path("/")) -> int:
    """Return what the limits of this process's control groups leave; `sys.maxsize` without any.

    Docker, Kubernetes, Slurm and systemd limit memory so. A process beyond the limit of its group,
    or of a group around that, is killed.

    Parameters
    ----------
    root : Path
        Of the file system, in which ``proc`` and the groups are.
    """
    left = []
    for folder, version in _find_groups(root):
        with contextlib.suppress(OSError, ValueError):
            limit = (folder / version.limit).read_text().strip()
            if limit != "max":
                left.append(max(0, int(limit) - _read_in_use(folder, version)))
    return min(left, default=sys.maxsize)


def _read_in_use(folder: Path, version: _Version) -> int:
    with contextlib.suppress(OSError, ValueError):
        lines = (folder / "memory.stat").read_text().splitlines()
        numbers = dict(line.split(maxsplit=1) for line in lines)
        return int(numbers.get(version.in_use, 0))
    return 0


def _find_groups(root: Path) -> Iterator[tuple[Path, _Version]]:
    """Yield the folders of this process's groups and of all around them, up to the mount."""
    paths = _read_paths(root)
    for version in _VERSIONS:
        if (path := paths.get(version)) is None:
            continue
        for mounted, mount_point in _read_mounts(root, version):
            inside = PurePosixPath()
            if path.is_relative_to(mounted) and ".." not in path.parts:
                inside = path.relative_to(mounted)
            for part in (inside, *inside.parents):
                yield root / mount_point.relative_to("/") / part, version


def _read_paths(root: Path) -> dict[_Version, PurePosixPath]:
    """Return the path of this process's group in each version, as ``/proc`` has it."""
    paths = {}
    for line in _read_lines(root / "proc/self/cgroup"):
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            paths[_VERSIONS[0]] = PurePosixPath(path)
        elif "memory" in controllers.split(","):
            paths[_VERSIONS[1]] = PurePosixPath(path)
    return paths


def _read_mounts(root: Path, version: _Version) -> Iterator[tuple[PurePosixPath, PurePosixPath]]:
    """Yield which group is mounted, and where: in a container it may be the container's own."""
    for line in _read_lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        file_system, *_, options = after.split(" ")
        is_of_memory = version is _VERSIONS[0] or "memory" in options.split(",")
        if file_system == version.file_system and is_of_memory:
            _, _, _, mounted, mount_point, *_ = before.split(" ")
            yield PurePosixPath(_unescape(mounted)), PurePosixPath(_unescape(mount_point))


def _read_lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text().splitlines() if line]
    except OSError:  # not Linux
        return []


def _unescape(path: str) -> str:
    for character in " \t\n\\":
        path = path.replace(f"\\{ord(character):03o}", character)
    return path
