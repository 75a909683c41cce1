"""The examples run, and show what they promise."""

import importlib.util
import re
from pathlib import Path

import numpy as np
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
