"""The examples run, and show what they promise."""

import importlib.util
import re
import sys
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from sklearn.model_selection import ParameterGrid

EXAMPLES = Path(__file__).parent.parent / "examples"


def load_example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def penguins():
    return load_example("penguins_grid_search")


def test_penguins_grid_has_48_candidates(penguins):
    assert len(ParameterGrid(penguins.GRID)) == 48


@pytest.mark.slow
def test_penguins_in_order_hide_the_chinstraps(penguins, capsys):
    X, y = penguins.load_data()
    penguins.show_split_trap(X, y, epochs=2)
    lines = capsys.readouterr().out.splitlines()
    train, validate = (next(x for x in lines if x.startswith(s)) for s in ("first", "last"))
    assert train.split()[-3:] == ["152", "0", "123"]
    assert validate.split()[-6:] == ["0", "68", "1", "0", "of", "68"]


@pytest.mark.slow
def test_penguins_grid_search(penguins, capsys, tmp_path):
    path = tmp_path / "search.png"
    penguins.main(["--epochs", "2", "--picture", str(path)])
    printed = capsys.readouterr()
    assert "48 candidates x 5 folds" in printed.out
    best = next(x for x in printed.out.splitlines() if x.startswith("Best parameters: "))
    assert all(key.removeprefix("network__") in best for key in penguins.GRID)
    assert "Cross-validated accuracy: " in printed.out
    assert "Test accuracy: " in printed.out
    assert printed.err == ""
    height, width, _ = imread(path).shape
    assert height > 500
    assert width > 1000
    assert np.ptp(imread(path)[..., :3]) == 1  # from black to white: something is drawn


@pytest.fixture(scope="module")
def early_stopping():
    return load_example("penguins_early_stopping")


def test_last_fifth_of_the_sorted_penguins_holds_every_chinstrap(early_stopping):
    train, _ = early_stopping.split()
    last = train["species"].tail(len(train) // 5).value_counts()
    assert last.to_dict() == {"Chinstrap": 54, "Gentoo": 1}
    assert (train["species"] == "Chinstrap").sum() == 54


@pytest.mark.slow
def test_penguins_early_stopping(early_stopping, capsys, tmp_path):
    path = tmp_path / "early_stopping.png"
    early_stopping.main(["--epochs", "20", "--picture", str(path)])
    printed = capsys.readouterr()
    assert printed.err == ""
    refusal, *_ = lines = printed.out.splitlines()
    assert refusal.startswith("Refused to watch the last rows: y_val must hold only classes seen")
    trained, held_out, recall = (
        [line.split(part)[1] for line in lines if part in line and "species" not in line]
        for part in (" trained on ", " held out ", " recall in test set ")
    )
    # In the order of the file: Adelie, Gentoo, Chinstrap.
    assert [line.split() for line in trained] == [
        ["122", "98", "0"],
        ["98", "79", "43"],
        ["80", "62", "36"],
    ]
    assert held_out[1].split() == ["24", "20", "11"]
    fractions = [re.findall(r"(\d+) of (\d+)", line) for line in recall]
    assert fractions[0][-1] == ("0", "14")
    for of_species in fractions[1:]:
        assert all(int(hits) / int(total) > 0.9 for hits, total in of_species)
    assert printed.out.count(": trained on 3 of 3 species") == 2
    assert printed.out.count("best epoch ") == 2
    height, width, _ = imread(path).shape
    assert height > 500
    assert width > 1000
    assert np.ptp(imread(path)[..., :3]) == 1  # from black to white: something is drawn


@pytest.fixture
def out_of_core():
    return load_example("out_of_core")


@pytest.mark.slow
def test_out_of_core_holds_one_chunk_however_long_the_file(out_of_core, tmp_path):
    path = tmp_path / "shells.csv"
    read = partial(out_of_core.pandas_chunks, path, 1_000)
    peaks = []
    for n_chunks in (4, 40):
        out_of_core.write_csv(path, 1_000 * n_chunks, 1_000)
        survey = out_of_core.look_through(read)
        out_of_core.train(read, survey, epochs=1)  # loads TensorFlow, and compiles
        tracemalloc.start()
        out_of_core.train(read, survey, epochs=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.slow
def test_out_of_core_learns_from_pandas_and_from_dask(out_of_core, capsys):
    out_of_core.main(["--rows", "40000", "--chunk-rows", "5000"])
    printed = capsys.readouterr()
    assert printed.err == ""
    _, *lines = printed.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["pandas", "Dask"]
    for line in lines:
        assert re.search(r"[78] chunks of at most 0\.\d MB", line)
        assert float(line.split()[-1]) > 0.9


@pytest.mark.slow
def test_out_of_core_takes_a_file_and_says_what_dask_needs(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.dataframe", None)  # importing it raises
    example = load_example("out_of_core")
    path = tmp_path / "own.csv"
    pd.DataFrame({"a": range(40), "kind": ["x", "y"] * 20}).to_csv(path, index=False)
    example.main(["--csv", str(path), "--chunk-rows", "12", "--epochs", "1"])
    first, pandas, dask = capsys.readouterr().out.splitlines()
    assert first.startswith("own.csv: ")
    assert "4 chunks" in pandas
    assert "pip install 'dask[dataframe]'" in dask


@pytest.mark.slow
@pytest.mark.filterwarnings(
    # Of Keras, when it saves on NumPy 2.
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)
def test_save_and_serve(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["save_and_serve.py", "--epochs", "3"])
    load_example("save_and_serve").main()
    lines = capsys.readouterr().out.splitlines()
    differences = [float(line.split()[-1]) for line in lines if "differs by" in line]
    assert len(differences) == 5
    assert max(differences) < 1e-5
