"""How much memory a fit and predictions take beyond their data.

Run as a script, this measures one case: a process of its own for each, which begins with a tiny
fit of the same architecture.
"""

import gc
import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy.sparse import csr_array

from skdense import KerasDenseClassifier
from skdense._training.task import TrainingTask

N_FEATURES, MEGABYTE = 100, 1_000_000
MANY, FEWER, TINY = 600_000, 400_000, 3_000  # rows
# Half of the rows in float32: chunks of batches, and some numbers for each row.
ROOM_TO_FIT = 120 * MEGABYTE
ROOM_TO_PREDICT = 60 * MEGABYTE
STATUS = Path("/proc/self/status")


def rows(n_rows, dtype="float32", order="C", into=None):
    """Fill an array, a block at a time."""
    array = np.empty((n_rows, N_FEATURES), dtype, order) if into is None else into
    rng = np.random.default_rng(0)
    for start in range(0, n_rows, 10_000):
        array[start : start + 10_000] = rng.random((10_000, N_FEATURES), np.float32)
    return array


def memory_map(folder, n_rows, dtype="float32"):
    path = folder / "X.npy"
    written = np.lib.format.open_memmap(path, "w+", dtype, (n_rows, N_FEATURES))
    rows(n_rows, into=written)
    written.flush()
    del written
    return np.load(path, mmap_mode="r")


def sparse_rows(n_rows=200_000, n_features=5_000, n_stored=5):
    """Return rows that would take 4 GB as a dense array."""
    rng = np.random.default_rng(0)
    columns = rng.integers(n_features, size=n_rows * n_stored, dtype=np.int32)
    starts = np.arange(0, len(columns) + 1, n_stored, dtype=np.int32)
    ones = np.ones(len(columns), np.float32)
    return csr_array((ones, columns, starts), shape=(n_rows, n_features))


@dataclass(frozen=True)
class Case:
    """Data to train on, made in a folder, and how many numbers may be copied.

    As float32 in a fit, and as float64 in predictions.
    """

    data: Callable[[Path], Any]
    copied: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)
    converted: int = 0


COPY = FEWER * N_FEATURES
VALIDATION = {"early_stopping": True, "validation_fraction": 0.1}
HELD_OUT = MANY // 10 * N_FEATURES  # copied once

CASES = {
    "float32": Case(lambda folder: rows(MANY)),
    "memory_map": Case(lambda folder: memory_map(folder, MANY)),
    "memory_map_of_float64": Case(lambda folder: memory_map(folder, FEWER, "float64")),
    "sparse": Case(lambda folder: sparse_rows()),
    "float64": Case(lambda folder: rows(FEWER, "float64"), COPY),
    "whole_numbers": Case(lambda folder: rows(FEWER, "int64"), COPY, converted=COPY),
    "by_columns": Case(lambda folder: rows(FEWER, order="F"), COPY),
    "table": Case(lambda folder: pd.DataFrame(rows(FEWER)), COPY),
    "validated": Case(lambda folder: rows(MANY), HELD_OUT, VALIDATION),
    "validated_memory_map": Case(lambda folder: memory_map(folder, MANY), HELD_OUT, VALIDATION),
    "validated_sparse": Case(lambda folder: sparse_rows(), 0, VALIDATION),
}


@pytest.mark.slow
@pytest.mark.parametrize("validation_fraction", [None, 0.25])
def test_fits_by_keras_leave_nothing(validation_fraction):
    rng = np.random.default_rng(0)
    X, y = rng.random((40, 3)), np.arange(40) % 2
    network = KerasDenseClassifier(
        units=4, epochs=2, engine="keras", validation_fraction=validation_fraction, random_state=0
    )

    def left():
        kinds = tf.Graph, keras.Model, TrainingTask
        gc.collect()
        alive = Counter(map(type, gc.get_objects()))
        return [sum(n for t, n in alive.items() if issubclass(t, kind)) for kind in kinds]

    network.fit(X, y)
    before = left()
    for _ in range(3):
        network.fit(X, y)
    assert left() == before


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells what is no page of a file")
@pytest.mark.parametrize("name", CASES)
def test_memory_is_bounded(name):
    command = [sys.executable, __file__, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603 - this file
    assert done.returncode == 0, done.stderr
    growth = json.loads(done.stdout.splitlines()[-1])
    assert growth["fit"] < CASES[name].copied * 4 + ROOM_TO_FIT
    assert growth["predict"] < CASES[name].converted * 8 + ROOM_TO_PREDICT


def measure(case):
    """Return by how many bytes this process grows in a fit, and in predictions."""
    network = KerasDenseClassifier(
        units=16, depth=1, batch_size=1_024, epochs=2, random_state=0, **case.parameters
    )
    with tempfile.TemporaryDirectory() as folder:
        X = case.data(Path(folder))
        y = np.arange(X.shape[0]) % 2
        network.fit(X[:TINY], y[:TINY]).predict(X[:TINY])
        with watched() as fit:
            network.fit(X, y)
        with watched() as predict:
            network.predict_proba(X)
    return {"fit": max(fit) - fit[0], "predict": max(predict) - predict[0]}


@contextmanager
def watched():
    """Look again and again at the memory in use; Linux keeps no peak without pages of files."""
    seen, ended = [resident_bytes()], threading.Event()

    def watch():
        while not ended.wait(0.001):
            seen.append(resident_bytes())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def resident_bytes():
    [line] = [line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(measure(CASES[sys.argv[1]])))
    gc.freeze()  # or else Python takes a second to look through TensorFlow's modules at the end
