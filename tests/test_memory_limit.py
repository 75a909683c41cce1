"""The memory that this process may have: control groups of both versions, by fake trees."""

import sys

import numpy as np
import pytest

from skdense import KerasDenseRegressor
from skdense._backend import memory
from skdense._backend.memory import memory_of_control_groups, usable_memory

GIGABYTE = 2**30
NO_LIMIT_V1 = 9223372036854771712
MOUNT = "/sys/fs/cgroup"
MOUNT_V2 = f"31 23 0:28 / {MOUNT} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"


def mount_v1(mounted="/", controllers="memory"):
    path = f"{MOUNT}/{controllers}"
    return f"35 31 0:32 {mounted} {path} rw,relatime - cgroup cgroup rw,{controllers}"


@pytest.fixture
def system(tmp_path):
    """Write a file system: the process's groups, mounts, and files of groups by path."""

    def write(groups, mounts, files):
        process = {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts}
        for path, content in (process | files).items():
            file = tmp_path / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{content}\n")
        return tmp_path

    return write


def test_version_2_in_a_container(system):
    files = {f"{MOUNT}/memory.max": 2 * GIGABYTE, f"{MOUNT}/memory.stat": "anon 4096\nfile 8192"}
    root = system("0::/", MOUNT_V2, files)
    assert memory_of_control_groups(root) == 2 * GIGABYTE - 4096


def test_the_lowest_limit_up_the_hierarchy_counts(system):
    files = {
        f"{MOUNT}/a.slice/b.scope/c/memory.max": "max",
        f"{MOUNT}/a.slice/b.scope/memory.max": 3 * GIGABYTE,
        f"{MOUNT}/a.slice/memory.max": 2 * GIGABYTE,
        f"{MOUNT}/other/memory.max": 1,
    }
    root = system("0::/a.slice/b.scope/c", MOUNT_V2, files)
    assert memory_of_control_groups(root) == 2 * GIGABYTE


def test_what_is_in_use_counts_where_its_limit_is(system):
    files = {
        f"{MOUNT}/a/b/memory.max": 2 * GIGABYTE,
        f"{MOUNT}/a/memory.max": 3 * GIGABYTE,
        f"{MOUNT}/a/memory.stat": f"anon {2 * GIGABYTE}\nfile {GIGABYTE}",
    }
    root = system("0::/a/b", MOUNT_V2, files)
    assert memory_of_control_groups(root) == GIGABYTE
    files[f"{MOUNT}/a/memory.stat"] = f"anon {4 * GIGABYTE}"
    assert memory_of_control_groups(system("0::/a/b", MOUNT_V2, files)) == 0


@pytest.mark.parametrize("mounted", ["/", "/docker/1234"])  # of the host, of the container alone
def test_version_1(mounted, system):
    inside = "/docker/1234" if mounted == "/" else ""
    folder = f"{MOUNT}/memory{inside}"
    files = {
        f"{folder}/memory.limit_in_bytes": GIGABYTE,
        f"{folder}/memory.stat": "cache 500\nrss 10\ntotal_rss 1000",
        f"{MOUNT}/cpu/docker/1234/memory.limit_in_bytes": 1,
    }
    groups = "5:cpu:/docker/1234\n4:memory:/docker/1234\n0::/"
    mounts = f"{mount_v1(mounted, 'cpu')}\n{mount_v1(mounted)}"
    assert memory_of_control_groups(system(groups, mounts, files)) == GIGABYTE - 1000


def test_both_versions_at_once(system):
    mounts = f"{mount_v1()}\n{MOUNT_V2.replace(MOUNT, MOUNT + '/unified')}"
    files = {
        f"{MOUNT}/memory/a/memory.limit_in_bytes": NO_LIMIT_V1,
        f"{MOUNT}/memory/memory.limit_in_bytes": GIGABYTE,
    }
    root = system("4:memory:/a\n0::/b", mounts, files)
    assert memory_of_control_groups(root) == GIGABYTE


@pytest.mark.parametrize(
    "changes",
    [
        {"groups": ""},
        {"mounts": ""},
        {"mounts": "31 23 0:28 / / rw - ext4 /dev/sda rw"},
        {"files": {}},
        {"files": {f"{MOUNT}/a/memory.max": "max"}},
        {"files": {f"{MOUNT}/a/memory.max": "much"}},
    ],
    ids=str,
)
def test_without_a_limit(changes, system):
    values = {"groups": "0::/a", "mounts": MOUNT_V2, "files": {}} | changes
    assert memory_of_control_groups(system(**values)) == sys.maxsize


def test_a_system_without_control_groups(tmp_path):
    assert memory_of_control_groups(tmp_path) == sys.maxsize


@pytest.mark.parametrize("path", ["/../../b", "/elsewhere"])
def test_a_group_outside_of_what_is_mounted_has_at_most_the_mount_s_limit(path, system):
    mounted = MOUNT_V2.replace(" / ", " /docker/1 ", 1)
    root = system(f"0::{path}", mounted, files={f"{MOUNT}/memory.max": GIGABYTE})
    assert memory_of_control_groups(root) == GIGABYTE


def test_mounts_with_blanks(system):
    mounts = MOUNT_V2.replace(MOUNT, "/mnt/my\\040groups")
    root = system("0::/", mounts, files={"/mnt/my groups/memory.max": 7})
    assert memory_of_control_groups(root) == 7


def test_this_process_has_memory():
    assert 0 < usable_memory() <= sys.maxsize


def test_a_container_s_limit_refuses_a_network_before_it_takes_memory(monkeypatch):
    monkeypatch.setattr(memory, "memory_of_control_groups", lambda: 10**8)
    X = np.zeros((20, 3))
    with pytest.raises(MemoryError, match=r"must fit into memory.* of at most 0\.1 GB"):
        KerasDenseRegressor(units=8_000, depth=2, epochs=1).fit(X, X[:, 0])
