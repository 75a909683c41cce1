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


@pytest.mark.slow
def test_training_options_compare_the_same_work_and_trace_one_program(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    from training_options import main

    file = tmp_path / "training_options.json"
    main(["--quick", "--repeats", "2", "--json", str(file)])

    sections = json.loads(file.read_text())["sections"]
    assert sections.keys() == {"watching", "penguins", "stream"}
    watching, penguins, stream = (
        {name: len(times) for name, times in section["seconds"][task].items()}
        for section, task in zip(sections.values(), ("fit", "fit", "chunk"), strict=True)
    )
    assert watching == {
        "silent": 2,
        "early stopping": 2,
        "early stopping, metrics": 2,
        "validation, metrics": 2,
        "early stopping on accuracy": 2,
        "verbose=2": 2,
    }
    assert penguins == {
        "skdense, 12-12": 2,
        "MLPClassifier, 12-12": 2,
        "skdense, 128-128": 2,
        "MLPClassifier, 128-128": 2,
    }
    assert stream == {"skdense": 2 * 6, "MLPClassifier": 2 * 6}
    for section in sections.values():
        [seconds] = section["seconds"].values()
        assert all(second > 0 for times in seconds.values() for second in times)
        assert section["accuracy"].keys() == seconds.keys()
    # With verbose=2 the same rows are trained on in the same order, to the same weights.
    accuracy = sections["watching"]["accuracy"]
    assert accuracy["verbose=2"] == accuracy["silent"]
    figures = {figure["name"]: figure for figure in sections["stream"]["figures"]}
    assert figures["programs traced"]["value"] == 1


def test_ratios_are_of_times_in_the_same_turn(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    from training_options import paired_ratio

    # The second turn found the machine busy, the third one a disturbance of one contestant.
    assert paired_ratio([2.0, 20.0, 9.0], [1.0, 10.0, 1.0]) == 2
