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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _data import Array, generate, penguin_preparation
from _peers import LEARNING_RATE, MLP, SKDENSE, mlp_classifier, require_epochs
from _report import Machine, format_table, times_table
from _sections import Figure, Result, Section, command_line, run_sections
from _timing import Contestant, many_calls, take_turns
from palmerpenguins import load_penguins
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

import skdense

FIRST, KERAS, NEW_KERAS = "skdense, first fit", "Keras", "Keras, new model"
FIRST_SEARCH, SEARCH = "skdense, compiling", "skdense, once more"
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


# --- the contestants ---------------------------------------------------------------------


def without_programs() -> None:
    """Make the next skdense fit of any architecture trace and compile."""
    skdense.clear_cache()
    gc.collect()


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


# --- fit and predict ---------------------------------------------------------------------


def read_mnist(folder: Path, n_rows: int) -> tuple[Array, Array]:
    """Read the first training images, scaled to 0-1, and labels from the original files."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28 * 28)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels[:n_rows] / np.float32(255), labels[:n_rows].astype(np.int64)


def compare_workload(workload: Workload, X: Array, y: Array) -> Result:
    """Time fits, then predictions of one row and of all; accuracy is of the training rows."""
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
    return GridSearchCV(
        Pipeline([("preparation", penguin_preparation()), ("network", network)]),
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
    Accuracy is the best candidate's mean over the folds.
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
        X, y = generate(workload.n_rows, workload.n_features, workload.n_classes)
    result = compare_workload(workload, X, y)
    result.show(workload_table(workload, result, machine.sgemm_gflops))
    return result


def run_search(options: argparse.Namespace, machine: Machine) -> Result:
    """Compare and print the search."""
    search = quick_search() if options.quick else Search()
    result = compare_search(replace(search, repeats=options.repeats or search.repeats))
    result.show(times_table("search, s", result.seconds["search"], result.accuracy, digits=2))
    return result


SECTIONS: dict[str, Section] = {
    **{workload.name: partial(run_workload, workload) for workload in WORKLOADS},
    "search": run_search,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    parser = command_line(__doc__, list(SECTIONS), "5, and 3 for the large workload")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files, for the large one")
    run_sections(parser.parse_args(argv), SECTIONS)


if __name__ == "__main__":
    main()
