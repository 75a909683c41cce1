"""One fit of a size: its time, and the memory of a process that does nothing else."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from _data import Array, generate
from _memory import forget_peak, peak_megabytes, watched_anonymous_memory
from _peers import MLP, SKDENSE, mlp_network, skdense_network
from _workloads import Workload
from scipy.sparse import csr_array

N_CLASSES = 3
NETWORKS = {SKDENSE: skdense_network, MLP: mlp_network}
_TINY = 1_000  # rows


@dataclass(frozen=True)
class Size:
    """What is fitted.

    Attributes
    ----------
    layout : {"dense", "CSR", "map"}
        A map is a file that NumPy maps to memory.
    n_filled : int
        Numbers in a row that are not 0, in CSR.
    folder : str
        Of the file.
    """

    n_rows: int
    n_features: int
    units: tuple[int, ...]
    batch_size: int = 256
    epochs: int = 2
    layout: str = "dense"
    n_filled: int = 20
    folder: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Size:
        """Return the size of fields that have been through JSON."""
        return cls(**{**fields, "units": tuple(fields["units"])})

    @property
    def tiny(self) -> Size:
        """The same for so few rows that their memory does not count."""
        layout = "dense" if self.layout == "map" else self.layout
        return replace(self, n_rows=max(_TINY, self.batch_size), layout=layout)

    @property
    def megabytes(self) -> float:
        """Of all inputs in float32, if every number is kept."""
        return 4e-6 * self.n_rows * self.n_features

    @property
    def workload(self) -> Workload:
        """The network and the rows."""
        return Workload(
            self.layout,
            self.n_rows,
            self.n_features,
            N_CLASSES,
            self.units,
            self.batch_size,
            self.epochs,
        )

    @property
    def file(self) -> Path:
        """Where a map's rows are; its labels are beside it."""
        return Path(self.folder) / f"{self.n_rows}x{self.n_features}.npy"

    @property
    def labels_file(self) -> Path:
        """Where a map's labels are."""
        return self.file.with_suffix(".labels.npy")


def write_map(size: Mapping[str, Any]) -> None:
    """Write the file of a map, unless it is there."""
    own = Size.of(size)
    if own.labels_file.exists():
        return
    shape = (own.n_rows, own.n_features)
    rows = np.lib.format.open_memmap(own.file, mode="w+", dtype=np.float32, shape=shape)
    _, y = generate(own.n_rows, own.n_features, N_CLASSES, out=rows)
    rows.flush()
    np.save(own.labels_file, y)


def time_fit(size: Mapping[str, Any], peer: str, n_times: int) -> dict[str, Any]:
    """Fit some times over; to be called in a fresh process.

    A network that has been fitted to few rows before has no more to compile, and the memory that
    it took counts for nothing.

    Returns
    -------
    dict
        ``seconds`` of each fit; the peaks of memory above that of the tiny fit, in 1e6 bytes:
        ``peak`` of all, rows included, and ``anonymous`` of what is no page of a file.
    """
    own = Size.of(size)
    X, y = _rows(own.tiny)
    tiny = NETWORKS[peer](own.tiny.workload)
    tiny.fit(X, y)
    before = _peaks(lambda: tiny.fit(X, y))
    X, y = _rows(own)
    network = NETWORKS[peer](own.workload)
    seconds: list[float] = []

    def fit() -> None:
        for _ in range(n_times):
            started = time.perf_counter()
            network.fit(X, y)
            seconds.append(time.perf_counter() - started)

    after = _peaks(fit)
    if network.n_iter_ != own.epochs:
        raise RuntimeError(f"{peer} must run {own.epochs} epochs. Got {network.n_iter_}.")
    return {"seconds": seconds, **{name: after[name] - before[name] for name in after}}


def _peaks(run: Callable[[], object]) -> dict[str, float]:
    gc.collect()
    forget_peak()
    with watched_anonymous_memory() as anonymous:
        run()
    return {"peak": peak_megabytes(), "anonymous": anonymous.megabytes}


def _rows(size: Size) -> tuple[Any, Array]:
    if size.layout == "map":
        return np.load(size.file, mmap_mode="r"), np.load(size.labels_file)
    if size.layout == "CSR":
        return _sparse_rows(size)
    return generate(size.n_rows, size.n_features, N_CLASSES)


def _sparse_rows(size: Size) -> tuple[csr_array, Array]:
    """Draw rows with some numbers each, which tell three classes apart."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=size.n_rows)
    gap = size.n_features // size.n_filled
    # One number in each of so many parts of a row; the class prefers one end of the part.
    columns = rng.integers(gap, size=(size.n_rows, size.n_filled), dtype=np.int32) // 2
    columns += (y[:, np.newaxis] * (gap // 4)).astype(np.int32)
    columns += np.arange(size.n_filled, dtype=np.int32) * np.int32(gap)
    starts = np.arange(size.n_rows + 1, dtype=np.int32) * np.int32(size.n_filled)
    values = np.ones(columns.size, np.float32)
    return csr_array((values, columns.ravel(), starts), (size.n_rows, size.n_features)), y
