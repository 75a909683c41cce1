"""The benchmark runs and writes what it measured; nothing here depends on how fast."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
CONTESTANTS = {"skdense", "MLPClassifier", "Keras"}


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes(), compresslevel=1))


@pytest.mark.slow
def test_speed_writes_positive_times_and_figures(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(150, 28, 28), dtype=np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(150, dtype=np.uint8) % 10)
    monkeypatch.syspath_prepend(FOLDER)
    from speed import main

    file = tmp_path / "speed.json"
    main(["--quick", "--repeats", "1", "--data", str(tmp_path), "--json", str(file)])

    written = json.loads(file.read_text())
    assert written["machine"]["sgemm_gflops"] > 0
    sections = written["sections"]
    assert sections.keys() == {"small", "medium", "large", "search"}
    for name in ("small", "medium", "large"):
        seconds = sections[name]["seconds"]
        assert seconds["fit"].keys() == CONTESTANTS | {"skdense, first fit", "Keras, new model"}
        assert seconds["predict_row"].keys() == seconds["predict_all"].keys() == CONTESTANTS
        assert sections[name]["accuracy"].keys() == CONTESTANTS
    assert sections["large"]["title"].startswith("large: MNIST 150 x 784")
    assert sections["search"]["seconds"]["search"].keys() == {
        "skdense, compiling",
        "skdense, once more",
        "MLPClassifier",
    }
    for section in sections.values():
        repeats = [times for task in section["seconds"].values() for times in task.values()]
        assert all(len(times) == 1 and times[0] > 0 for times in repeats)
        assert all(figure["value"] > 0 for figure in section["figures"])
