"""The examples run, and show what they promise."""

import importlib.util
import re
import sys
import tracemalloc
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from sklearn.model_selection import ParameterGrid

KERAS_SAVES = pytest.mark.filterwarnings(
    # Of Keras, when it saves models or logs on NumPy 2.
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)
EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def pictures(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)  # as for a script
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def load_example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def require_picture(path):
    height, width, _ = imread(path).shape
    assert height > 500
    assert width > 800
    assert np.ptp(imread(path)[..., :3]) == 1  # from black to white: something is drawn


@pytest.fixture
def lines_of(capsys, tmp_path):
    """Run an example that draws one picture; returns the lines that it prints."""

    def run(name, *arguments):
        path = tmp_path / f"{name}.png"
        load_example(name).main([*map(str, arguments), "--picture", str(path)])
        printed = capsys.readouterr()
        assert printed.err == ""
        require_picture(path)
        return printed.out.splitlines()

    return run


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
def test_penguins_grid_search(penguins, capsys, monkeypatch, tmp_path):
    fewer = {name: values[:2] for name, values in penguins.GRID.items()}
    monkeypatch.setattr(penguins, "GRID", fewer)
    path = tmp_path / "search.png"
    penguins.main(["--epochs", "2", "--compare", "--picture", str(path)])
    printed = capsys.readouterr()
    assert "16 candidates x 5 folds" in printed.out
    assert re.search(r"One fit after the other: [\d.]+ s, so that it saved -?[\d.]+ s", printed.out)
    assert ("100%" in printed.out) == (find_spec("sklearn.callback") is not None)
    best = next(x for x in printed.out.splitlines() if x.startswith("Best parameters: "))
    assert all(key.removeprefix("network__") in best for key in penguins.GRID)
    assert "Cross-validated accuracy: " in printed.out
    assert "Test accuracy: " in printed.out
    assert printed.err == ""
    require_picture(path)


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
    require_picture(path)


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
@KERAS_SAVES
def test_save_and_serve(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["save_and_serve.py", "--epochs", "3"])
    load_example("save_and_serve").main()
    lines = capsys.readouterr().out.splitlines()
    differences = [float(line.split()[-1]) for line in lines if "differs by" in line]
    assert len(differences) == 5
    assert max(differences) < 1e-5


@pytest.mark.slow
def test_penguins_pipeline(lines_of):
    first, _ = lines_of("penguins_pipeline", "--epochs", 40)
    assert float(first.split()[-1]) > 0.95


@pytest.mark.slow
def test_xor_is_solved_by_bending_the_plane(lines_of):
    *lines, last, _ = lines_of("xor")
    assert all("50% right" in line for line in lines)  # of seeds in the local minimum
    assert re.search(r"accuracy 1.0 for the first time at epoch [\d,]+$", last)


def test_xor_without_enough_epochs_says_so(capsys, tmp_path):
    path = tmp_path / "xor.png"
    load_example("xor").main(["--epochs", "1", "--picture", str(path)])
    assert capsys.readouterr().out.endswith("no seed got there: more epochs may help\n")
    assert not path.exists()


@pytest.mark.slow
def test_mnist_digits(lines_of, write_digits, tmp_path):
    folder = write_digits(tmp_path / "mnist", 1_000, 300)
    *lines, last = lines_of("mnist_digits", "--data", folder, "--epochs", 5)
    accuracy = next(float(line.split()[1]) for line in lines if "accuracy" in line)
    assert accuracy > 0.7
    assert int(last.split()[0]) == round(300 * (1 - accuracy))


@pytest.mark.slow
@KERAS_SAVES
def test_fashion_mnist_keeps_the_best_epoch(capsys, write_digits, tmp_path):
    folder = write_digits(tmp_path / "fashion", 1_000, 300)
    options = ["--data", str(folder), "--epochs", "4", "--folder", str(tmp_path / "new")]
    load_example("fashion_mnist").main(options)
    without, with_dropout, same, _ = capsys.readouterr().out.splitlines()
    for line in without, with_dropout:
        assert re.search(r"best epoch [1-4] of 4", line)
    assert float(same.split()[-1]) < 1e-5
    for name in "history", "errors":
        require_picture(tmp_path / "new" / f"fashion_mnist_{name}.png")


@pytest.mark.parametrize("given", [None, "folder"])
def test_images_come_from_keras_or_from_files(given, write_digits, tmp_path, monkeypatch):
    import keras

    X, y = np.resize(np.arange(256, dtype=np.uint8), (2, 28, 28)), np.array([3, 4])
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: ((X, y), (X[:1], y[:1])))
    folder = given and write_digits(tmp_path / given, 20, 10)
    X_train, y_train, X_test, y_test = load_example("_images").load_images("mnist", folder)
    n_train, n_test = (20, 10) if given else (2, 1)
    assert (X_train.shape, X_test.shape) == ((n_train, 784), (n_test, 784))
    assert (len(y_train), len(y_test)) == (n_train, n_test)
    assert X_train.dtype == np.float32
    assert 0.9 < X_train.max() <= 1


@pytest.mark.slow
def test_regression_is_level_with_ridge(lines_of):
    ridge, network, _ = lines_of("regression")
    r2 = [float(re.search(r"R2 ([\d.]+)", line)[1]) for line in (ridge, network)]
    assert r2[1] > r2[0] - 0.03


@pytest.mark.slow
def test_multilabel_answers_each_question(lines_of):
    first, digit, even, prime, loop, _ = lines_of("multilabel")
    assert float(re.search(r"([\d.]+)%", first)[1]) > 90
    assert digit == "The first test image, a 2:"
    answers = [float(line.split()[1].rstrip("%")) for line in (even, prime, loop)]
    assert answers[0] > 50
    assert answers[1] > 50
    assert answers[2] < 50


@pytest.mark.slow
def test_imbalanced_classes_are_found_by_weights_a_focal_loss_and_a_threshold(lines_of):
    _, plain, *others, _ = lines_of("imbalanced_classes", "--epochs", 10)
    recall, precision, balanced, log_loss = map(float, plain.split()[1:])
    assert recall < 0.2 < 0.9 < precision
    found = [[float(value) for value in line.split()[-4:]] for line in others]
    assert len(found) == 3
    assert all(own[0] > 0.8 and own[2] > balanced + 0.2 for own in found)
    weights, focal, threshold = (own[3] for own in found)
    assert threshold == log_loss < weights < focal  # which alone leaves the probabilities true


@pytest.mark.slow
def test_counts_learn_from_people_as_from_cells(lines_of):
    people, linear, network, _ = lines_of("counts", "--epochs", 12)
    assert people.startswith("15142 years of people, 2698 kinds")
    deviances = [re.findall(r"\d\.\d{3}", line) for line in (linear, network)]
    (by_people, by_cells), ours = ([float(own) for own in pair] for pair in deviances)
    assert abs(by_people - by_cells) < 0.01
    assert max(ours) < by_people


@pytest.mark.slow
def test_intervals_cover_what_they_say_once_folds_have_widened_them(lines_of):
    learned, widened, around, _ = lines_of("intervals", "--folds", 3, "--epochs", 30)
    shares = [float(re.search(r"covers ([\d.]+)%", line)[1]) for line in (learned, widened, around)]
    assert shares[0] < shares[1]
    assert all(86 < share < 96 for share in shares[1:])


@pytest.mark.slow
def test_continuing_with_smaller_learning_rates(lines_of):
    constant, falling, _ = lines_of("continue_training")
    assert "30 epochs" in constant
    assert "30 epochs" in falling
    assert float(falling.split()[-1]) > float(constant.split()[-1]) + 0.02


@pytest.mark.slow
def test_optuna_prunes_in_memory_and_goes_on_from_disk(lines_of, tmp_path):
    trials, epochs, *_ = in_memory = lines_of("optuna_pruning", "--trials", 12, "--epochs", 6)
    n_pruned = int(re.fullmatch(r"12 trials, (\d) of them pruned", trials)[1])
    assert n_pruned > 0
    assert int(epochs.split()[0]) < 12 * 6
    kept = "--epochs", 6, "--storage", f"sqlite:///{tmp_path}/trials.db"
    assert lines_of("optuna_pruning", "--trials", 12, *kept)[:-1] == in_memory[:-1]
    assert lines_of("optuna_pruning", "--trials", 1, *kept)[0].startswith("13 trials, ")


@pytest.mark.slow
def test_width_and_depth(capsys, monkeypatch, tmp_path):
    example = load_example("width_and_depth")
    assert example.WIDTHS == [16, 32, 64, 128, 256, 512, 1024]
    monkeypatch.setattr(example, "WIDTHS", [16, 1024])
    monkeypatch.setattr(example, "DEPTHS", [1, 5])
    example.main(["--picture", str(tmp_path / "curves.png")])
    require_picture(tmp_path / "curves.png")
    *lines, _ = capsys.readouterr().out.splitlines()
    found = {key: float(accuracy) for key, accuracy in (line.split(": ") for line in lines)}
    assert len(found) == 2 + 2 * 2
    assert found["relu     5 x 64 units"] > found["sigmoid  5 x 64 units"] + 0.3
    assert found["relu     1 x 1024 units"] > found["relu     1 x 16 units"]


@pytest.mark.slow
@KERAS_SAVES
def test_tensorboard_logs(lines_of, tmp_path):
    for n_runs in (1, 2):  # which do not mix
        *lines, last = lines_of("tensorboard_logs", "--epochs", 2, "--logs", tmp_path / "logs")
        assert len(lines) == 4
        logs = list((tmp_path / "logs").glob("*/learning_rate_*/validation/events*"))
        assert len(logs) == 4 * n_runs
        assert "tensorboard --logdir" in last


@pytest.mark.slow
@KERAS_SAVES
def test_a_table_as_it_is_is_served_too(capsys, tmp_path):
    load_example("table_as_it_is").main(["--epochs", "4", "--onnx", str(tmp_path / "table.onnx")])
    own, served, *others = capsys.readouterr().out.splitlines()[1:]
    assert float(own.split()[2].rstrip(",")) > 0.9
    assert float(re.search(r"within (\S+) of", served)[1]) < 1e-5
    assert others[0].startswith("HistGradientBoosting")
