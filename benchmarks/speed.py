"""Speed of skdense beside scikit-learn's MLPClassifier and plain Keras, for the same work.

Run ``python benchmarks/speed.py``; ``--help`` tells the rest. Every contestant trains the same
architecture on the same rows with Adam, for the same epochs at the same batch size. They take
turns, and each figure is the median over the repeats.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import itertools
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _report import Machine, describe_machine, format_table, load_average
from _timing import Contestant, many_calls, take_turns
from numpy.typing import NDArray
from palmerpenguins import load_penguins
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skdense

Array = NDArray[Any]

SKDENSE, FIRST, MLP, KERAS = "skdense", "skdense, first fit", "MLPClassifier", "Keras"
NEW_KERAS = "Keras, new model"
FIRST_SEARCH, SEARCH = "skdense, compiling", "skdense, once more"
LEARNING_RATE = 0.001
MOST_FIRST_FIT_EXTRA = 1.0  # seconds
MOST_PREDICT_RATIO = 2.0
MOST_SEARCH_RATIO = 0.8


@dataclass(frozen=True)
class Workload:
    """One network to train on one data set, and the shares of others' time it may take."""

    name: str
    n_rows: int
    n_features: int
    n_classes: int
    units: tuple[int, ...]
    batch_size: int
    epochs: int
    repeats: int
    most_of_mlp: float
    most_of_keras: float
    data: str = "generated"

    @property
    def n_steps(self) -> int:
        """Training steps of a fit."""
        return -(-self.n_rows // self.batch_size) * self.epochs

    @property
    def gflop(self) -> float:
        """Operations of a fit's matrix products, in 1e9.

        Forward, gradient of the weights and gradient of the inputs for each layer; the first
        layer needs no gradient of its inputs.
        """
        sizes = (self.n_features, *self.units, self.n_classes)
        layers = [a * b for a, b in itertools.pairwise(sizes)]
        return 2e-9 * self.n_rows * self.epochs * (3 * sum(layers) - layers[0])

    def __str__(self) -> str:
        units = "-".join(map(str, self.units))
        return (
            f"{self.name}: {self.data} {self.n_rows:,} x {self.n_features}, "
            f"{self.n_classes} classes, units {units}, "
            f"batch {self.batch_size}, {self.epochs} epochs"
        )


@dataclass(frozen=True)
class Search:
    """A grid of networks for the penguins."""

    units: tuple[int, ...] = (8, 16, 32)
    depths: tuple[int, ...] = (1, 2)
    activations: tuple[str, ...] = ("relu", "tanh")
    learning_rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03)
    n_folds: int = 5
    batch_size: int = 32
    epochs: int = 50
    repeats: int = 5

    def __str__(self) -> str:
        n_architectures = len(self.units) * len(self.depths) * len(self.activations)
        return (
            f"search: GridSearchCV of {n_architectures * len(self.learning_rates)} candidates, "
            f"{n_architectures} architectures, x {self.n_folds} folds of the penguins, "
            f"batch {self.batch_size}, {self.epochs} epochs"
        )


WORKLOADS = (
    Workload("small", 250, 10, 3, (12, 12), 12, 50, 5, 0.40, 1 / 30),
    Workload("medium", 20_000, 20, 3, (128, 128), 256, 10, 5, 0.45, 1 / 8),
    Workload("large", 60_000, 784, 10, (512,), 128, 2, 3, 0.50, 1 / 3),
)
SECTIONS = (*(workload.name for workload in WORKLOADS), "search")


@dataclass(frozen=True)
class Figure:
    """A result that counts, and its target if it has one."""

    name: str
    value: float
    at_most: float | None = None

    def row(self) -> list[str]:
        """Return the cells of a table."""
        if self.at_most is None:
            return [self.name, f"{self.value:.3g}", "", ""]
        verdict = "met" if self.value <= self.at_most else "MISSED"
        return [self.name, f"{self.value:.3g}", f"at most {self.at_most:.3g}", verdict]


@dataclass(frozen=True)
class Result:
    """What one section found.

    Attributes
    ----------
    seconds : dict of task to dict of contestant to list of float
        Of each repeat.
    accuracy : dict of contestant to float
        On the training rows; for the search, the best mean over the folds.
    figures : list of Figure
    """

    title: str
    seconds: dict[str, dict[str, list[float]]]
    accuracy: dict[str, float]
    figures: list[Figure]


# --- the contestants ---------------------------------------------------------------------


def without_programs() -> None:
    """Make the next skdense fit of any architecture trace and compile."""
    skdense.clear_cache()
    gc.collect()


def start_tensorflow() -> None:
    """Import and initialise TensorFlow by a fit that shares no program with what is timed."""
    X = np.linspace(-1, 1, 16, dtype=np.float32).reshape(8, 2)
    skdense.KerasDenseClassifier(units=3, epochs=1, random_state=0).fit(X, np.arange(8) % 2)


class PlainKeras:
    """A model as the users of Keras write it, with the methods of an estimator.

    Building, compiling and a first fit, in which Keras traces, happen here: what every fit of
    a search costs, as each has a new model. Further fits are the fastest that Keras has.
    """

    n_iter_: int

    def __init__(self, workload: Workload, X: Array, y: Array) -> None:
        import keras  # here, because skdense silences TensorFlow's start only if it is first

        keras.utils.set_random_seed(0)
        hidden = [keras.layers.Dense(units, activation="relu") for units in workload.units]
        output = keras.layers.Dense(workload.n_classes, activation="softmax")
        model = keras.Sequential([keras.Input((workload.n_features,)), *hidden, output])
        optimizer = keras.optimizers.Adam(LEARNING_RATE)
        model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
        optimizer.build(model.trainable_variables)
        self._workload, self._model = workload, model
        self._variables = [*model.variables, *optimizer.variables]
        self._start = [variable.numpy() for variable in self._variables]
        self.fit(X, y)

    def reset(self) -> None:
        """Put weights and optimizer back to the start."""
        for variable, value in zip(self._variables, self._start, strict=True):
            variable.assign(value)
        gc.collect()

    def fit(self, X: Array, y: Array) -> None:
        """Train from where the weights are."""
        workload = self._workload
        history = self._model.fit(
            X, y, batch_size=workload.batch_size, epochs=workload.epochs, verbose=0
        )
        self.n_iter_ = len(history.epoch)

    def predict(self, X: Array) -> Array:
        """Return the most probable class of each row."""
        return np.argmax(self._model.predict(X, verbose=0), axis=1)

    def score(self, X: Array, y: Array) -> float:
        """Return the accuracy."""
        return float(np.mean(self.predict(X) == y))


def mlp_classifier(epochs: int, batch_size: int, **parameters: Any) -> MLPClassifier:
    """Return an MLPClassifier without penalty that runs all its epochs."""
    return MLPClassifier(
        alpha=0,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        tol=0,
        early_stopping=False,
        shuffle=True,
        random_state=0,
        **parameters,
    )


def networks(workload: Workload, X: Array, y: Array) -> dict[str, Any]:
    """Return what competes, by name."""
    return {
        SKDENSE: skdense.KerasDenseClassifier(
            units=workload.units,
            batch_size=workload.batch_size,
            epochs=workload.epochs,
            learning_rate=LEARNING_RATE,
            random_state=0,
        ),
        MLP: mlp_classifier(
            workload.epochs,
            workload.batch_size,
            hidden_layer_sizes=workload.units,
            learning_rate_init=LEARNING_RATE,
        ),
        KERAS: PlainKeras(workload, X, y),
    }


def require_epochs(networks: Mapping[str, Any], epochs: int) -> None:
    """Raise RuntimeError unless all have done the same work."""
    done = {name: network.n_iter_ for name, network in networks.items()}
    if set(done.values()) != {epochs}:
        raise RuntimeError(f"Every network must run {epochs} epochs. Got {done}.")


# --- fit and predict ---------------------------------------------------------------------


def generate(workload: Workload) -> tuple[Array, Array]:
    """Draw overlapping clusters, one for each class."""
    rng = np.random.default_rng(0)
    y = rng.integers(workload.n_classes, size=workload.n_rows)
    # Centres some 3.5 standard deviations apart: learnable, but not without errors.
    centers = rng.standard_normal((workload.n_classes, workload.n_features), np.float32)
    centers *= np.float32(2.5 / np.sqrt(workload.n_features))
    X = rng.standard_normal((workload.n_rows, workload.n_features), np.float32)
    X += centers[y]
    return X, y


def read_mnist(folder: Path, n_rows: int) -> tuple[Array, Array]:
    """Read the first training images, scaled to 0-1, and labels from the original files."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28 * 28)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels[:n_rows] / np.float32(255), labels[:n_rows].astype(np.int64)


def compare_workload(workload: Workload, X: Array, y: Array) -> Result:
    """Time fits, then predictions of one row and of all."""
    competing = networks(workload, X, y)
    ours, mlp, keras = competing.values()
    fits = {
        FIRST: Contestant(lambda: ours.fit(X, y), prepare=without_programs),
        SKDENSE: Contestant(lambda: ours.fit(X, y)),
        MLP: Contestant(lambda: mlp.fit(X, y)),
        KERAS: Contestant(lambda: keras.fit(X, y), prepare=keras.reset),
        NEW_KERAS: Contestant(lambda: PlainKeras(workload, X, y)),
    }
    seconds = {"fit": take_turns(fits, workload.repeats)}
    require_epochs(competing, workload.epochs)
    for task, rows in (("predict_row", X[:1]), ("predict_all", X)):
        predictions = {
            name: many_calls(partial(network.predict, rows)) for name, network in competing.items()
        }
        seconds[task] = take_turns(predictions, workload.repeats)
    accuracy = {name: float(network.score(X, y)) for name, network in competing.items()}
    title = f"{workload}, medians of {workload.repeats}"
    return Result(title, seconds, accuracy, workload_figures(workload, seconds))


def workload_figures(
    workload: Workload, seconds: Mapping[str, Mapping[str, list[float]]]
) -> list[Figure]:
    """Put skdense in relation to the others."""
    fit, row, bulk = (
        {name: median(repeats) for name, repeats in seconds[task].items()}
        for task in ("fit", "predict_row", "predict_all")
    )
    return [
        Figure("fit / MLP's", fit[SKDENSE] / fit[MLP], workload.most_of_mlp),
        Figure("fit / Keras'", fit[SKDENSE] / fit[KERAS], workload.most_of_keras),
        Figure("fit / Keras' of a new model", fit[SKDENSE] / fit[NEW_KERAS]),
        Figure("extra cost of first fit, s", fit[FIRST] - fit[SKDENSE], MOST_FIRST_FIT_EXTRA),
        Figure("predict one row / MLP's", row[SKDENSE] / row[MLP], MOST_PREDICT_RATIO),
        Figure("predict one row / Keras'", row[SKDENSE] / row[KERAS]),
        Figure("predict all rows / MLP's", bulk[SKDENSE] / bulk[MLP]),
        Figure("predict all rows / Keras'", bulk[SKDENSE] / bulk[KERAS]),
    ]


def workload_table(workload: Workload, result: Result, sgemm_gflops: float) -> str:
    """Return a line for each contestant."""
    rows = []
    for name, repeats in result.seconds["fit"].items():
        fit = median(repeats)
        cells = [name, f"{fit:.4f}", f"{min(repeats):.4f}-{max(repeats):.4f}"]
        rate = workload.gflop / fit
        cells += [f"{1e6 * fit / workload.n_steps:.1f}", f"{rate:.3g}"]
        if name in (FIRST, NEW_KERAS):
            rows.append(cells + [""] * 4)
            continue
        cells += [f"{rate / sgemm_gflops:.1%}", f"{result.accuracy[name]:.3f}"]
        cells += [f"{1e6 * median(result.seconds['predict_row'][name]):.0f}"]
        cells += [f"{1e3 * median(result.seconds['predict_all'][name]):.3f}"]
        rows.append(cells)
    header = ["", "fit, s", "range", "us/step", "GFLOP/s", "of sgemm", "accuracy"]
    return format_table([*header, "predict 1, us", "predict all, ms"], rows)


# --- search ------------------------------------------------------------------------------


def penguin_search(search: Search, network: Any, grid: dict[str, list[Any]]) -> GridSearchCV:
    """Return a search over a pipeline that fills gaps, scales numbers and encodes text."""
    preparation = make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    return GridSearchCV(
        Pipeline([("preparation", preparation), ("network", network)]),
        {f"network__{name}": values for name, values in grid.items()},
        cv=search.n_folds,
        n_jobs=1,
        error_score="raise",
    )


def skdense_search(search: Search) -> GridSearchCV:
    """Return the search as skdense puts it."""
    network = skdense.KerasDenseClassifier(
        batch_size=search.batch_size, epochs=search.epochs, random_state=0
    )
    grid: dict[str, list[Any]] = {
        "units": list(search.units),
        "depth": list(search.depths),
        "activation": list(search.activations),
        "learning_rate": list(search.learning_rates),
    }
    return penguin_search(search, network, grid)


def mlp_search(search: Search) -> GridSearchCV:
    """Return the same search as MLPClassifier puts it."""
    grid: dict[str, list[Any]] = {
        "hidden_layer_sizes": [(u,) * depth for u in search.units for depth in search.depths],
        "activation": list(search.activations),
        "learning_rate_init": list(search.learning_rates),
    }
    return penguin_search(search, mlp_classifier(search.epochs, search.batch_size), grid)


def compare_search(search: Search) -> Result:
    """Time the searches.

    The pipeline hands out float64, in which MLPClassifier then trains; skdense chooses float32.
    """
    X = load_penguins()
    y = X.pop("species")
    ours, mlp = skdense_search(search), mlp_search(search)
    contestants = {
        FIRST_SEARCH: Contestant(lambda: ours.fit(X, y), prepare=without_programs),
        SEARCH: Contestant(lambda: ours.fit(X, y)),
        MLP: Contestant(lambda: mlp.fit(X, y)),
    }
    seconds = take_turns(contestants, search.repeats)
    best = {name: found.best_estimator_[-1] for name, found in ((SEARCH, ours), (MLP, mlp))}
    require_epochs(best, search.epochs)
    took = {name: median(repeats) for name, repeats in seconds.items()}
    figures = [
        Figure("search, compiling / MLP's", took[FIRST_SEARCH] / took[MLP], MOST_SEARCH_RATIO),
        Figure("search, once more / MLP's", took[SEARCH] / took[MLP]),
    ]
    ours_best, mlp_best = float(ours.best_score_), float(mlp.best_score_)
    accuracy = {FIRST_SEARCH: ours_best, SEARCH: ours_best, MLP: mlp_best}
    return Result(f"{search}, medians of {search.repeats}", {"search": seconds}, accuracy, figures)


def search_table(result: Result) -> str:
    """Return a line for each search."""
    rows = [
        [
            name,
            f"{median(repeats):.2f}",
            f"{min(repeats):.2f}-{max(repeats):.2f}",
            f"{result.accuracy[name]:.3f}",
        ]
        for name, repeats in result.seconds["search"].items()
    ]
    return format_table(["", "search, s", "range", "best accuracy"], rows)


# --- command line ------------------------------------------------------------------------


def quick_workload(workload: Workload) -> Workload:
    """Return a workload that takes no time, with the same architecture."""
    return replace(workload, n_rows=max(60, workload.n_rows // 40), epochs=2)


def quick_search() -> Search:
    """Return a search that takes no time."""
    return Search(
        units=(4,),
        depths=(1,),
        activations=("relu",),
        learning_rates=(0.003, 0.01),
        n_folds=2,
        epochs=2,
    )


def run_workload(workload: Workload, options: argparse.Namespace, machine: Machine) -> Result:
    """Compare and print one workload."""
    if options.quick:
        workload = quick_workload(workload)
    workload = replace(workload, repeats=options.repeats or workload.repeats)
    if workload.name == "large" and options.data:
        X, y = read_mnist(options.data, workload.n_rows)
        workload = replace(workload, n_rows=len(X), data="MNIST")
    else:
        X, y = generate(workload)
    result = compare_workload(workload, X, y)
    print_result(result, workload_table(workload, result, machine.sgemm_gflops))
    return result


def run_search(options: argparse.Namespace) -> Result:
    """Compare and print the search."""
    search = quick_search() if options.quick else Search()
    result = compare_search(replace(search, repeats=options.repeats or search.repeats))
    print_result(result, search_table(result))
    return result


def print_result(result: Result, table: str) -> None:
    """Print the times, then the figures with their targets."""
    figures = format_table(
        ["skdense", "figure", "target", ""], [figure.row() for figure in result.figures]
    )
    print(f"\n{result.title}\n\n{table}\n\n{figures}", flush=True)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    sections = {"choices": SECTIONS, "default": SECTIONS, "metavar": "NAME"}
    parser.add_argument("--only", nargs="+", **sections, help=f"any of {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="sizes that show only that it runs")
    parser.add_argument("--repeats", type=int, help="instead of 5, and 3 for the large workload")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files, for the large one")
    parser.add_argument("--json", type=Path, help="file to write all times and figures to")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    options = parse(argv)
    machine = describe_machine(sgemm_size=256 if options.quick else 2048)
    print(machine, flush=True)
    if options.quick:
        print("quick: too little work for the targets to mean anything")
    start_tensorflow()
    results = {}
    with warnings.catch_warnings():
        # MLPClassifier warns at its last epoch; here all run the same number on purpose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for workload in WORKLOADS:
            if workload.name in options.only:
                results[workload.name] = run_workload(workload, options, machine)
        if "search" in options.only:
            results["search"] = run_search(options)
    if (load := load_average()) is not None:
        print(f"\nload average at the end {load:.2f}")
    if options.json:
        sections = {name: asdict(result) for name, result in results.items()}
        text = json.dumps({"machine": asdict(machine), "sections": sections}, indent=2)
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
