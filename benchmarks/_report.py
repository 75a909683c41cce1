"""What a benchmark prints: the machine it ran on, and aligned tables."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from threadpoolctl import threadpool_info

PACKAGES = ("skdense", "scikit-learn", "tensorflow", "keras", "numpy", "joblib", "skorch", "torch")
# Unless these are set, TensorFlow uses as many threads as the process may use CPUs.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "XLA_FLAGS",
)


@dataclass(frozen=True)
class Machine:
    """What decides how fast things can be here.

    Attributes
    ----------
    cpu_count : int
        CPUs that this process may use.
    load_average : float or None
        Over the last minute, before the benchmark; None where the system does not tell.
    blas : list of str
        Each BLAS library loaded, with its threads.
    thread_settings : dict of str to str
        Variables of the environment that limit threads.
    sgemm_gflops : float
        Rate of NumPy's float32 matrix product, in 1e9 operations per second.
    """

    cpu_count: int
    load_average: float | None
    blas: list[str]
    thread_settings: dict[str, str]
    versions: dict[str, str]
    sgemm_gflops: float

    def __str__(self) -> str:
        load = "unknown" if self.load_average is None else f"{self.load_average:.2f}"
        limits = [f"{name}={value}" for name, value in self.thread_settings.items()]
        return (
            f"{self.cpu_count} CPUs, load average {load}, {' and '.join(self.blas)}, "
            f"{' '.join(limits) or 'threads not limited'}, "
            f"sgemm {self.sgemm_gflops:.0f} GFLOP/s\n"
            + ", ".join(f"{name} {number}" for name, number in self.versions.items())
        )


def describe_machine(sgemm_size: int) -> Machine:
    """Look at the machine; the product measured is of two square matrices of this size."""
    libraries = {
        f"{library['internal_api']} {library['version']} with {library['num_threads']} threads"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }
    return Machine(
        cpu_count=_cpu_count(),
        load_average=load_average(),
        blas=sorted(libraries),
        thread_settings={name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        versions=_versions(),
        sgemm_gflops=_sgemm_gflops(sgemm_size),
    )


def _cpu_count() -> int:
    if hasattr(os, "sched_getaffinity"):  # absent on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def load_average() -> float | None:
    """Return how many processes wanted to run over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # absent on Windows


def _sgemm_gflops(size: int, repeats: int = 7) -> float:
    product = MatrixProduct(size, "float32")
    product()  # starts the threads
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - started)
    return product.gflop / statistics.median(seconds)


class MatrixProduct:
    """The product of two large square matrices, the fastest work that there is to do."""

    def __init__(self, size: int, dtype: str) -> None:
        self._a, self._b = np.random.default_rng(0).random((2, size, size)).astype(dtype)
        self.gflop = 2e-9 * size**3

    def __call__(self) -> None:
        """Multiply once."""
        self._a @ self._b


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for first, *others in (header, *rows):
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def times_table(
    task: str, seconds: Mapping[str, Sequence[float]], score: Mapping[str, float], digits: int
) -> str:
    """Return a line for each contestant: median, range, and how well it does."""
    rows = [
        [
            name,
            f"{statistics.median(repeats):.{digits}f}",
            f"{min(repeats):.{digits}f}-{max(repeats):.{digits}f}",
            f"{score[name]:.3f}",
        ]
        for name, repeats in seconds.items()
    ]
    return format_table(["", task, "range", "accuracy"], rows)
