"""What watching a training costs, early stopping beside MLPClassifier's, and training on a stream.

Run ``python benchmarks/training_options.py``; ``--help`` tells the rest. Each section compares
trainings of the same architecture on as many rows, for the same epochs at the same batch size:
patience is never reached. They take turns; each ratio is the median of those within a turn, or
on the same chunk.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from math import isnan
from statistics import median
from typing import Any

import numpy as np
from _data import Array, generate, penguin_preparation, penguins
from _memory import resident_megabytes
from _peers import LEARNING_RATE, MLP, SKDENSE, mlp_classifier, require_epochs, start_tensorflow
from _report import times_table
from _sections import Figure, Result, Section, command_line, run_sections
from _timing import Contestant, leave_as_is, paired_ratio, take_turns
from _workloads import joined

from skdense import KerasDenseClassifier, clear_cache
from skdense._training.program import trace_count

SILENT = "silent"
MOST_WATCHED = 1.25  # of a silent fit's time
MOST_OF_MLP = 0.8
N_CLASSES = 3


@dataclass(frozen=True)
class Watching:
    """A training to look at in various ways, a tenth of its rows held out."""

    n_rows: int = 20_000
    n_features: int = 20
    units: tuple[int, ...] = (128, 128)
    batch_size: int = 256
    epochs: int = 10
    repeats: int = 7

    def __str__(self) -> str:
        return (
            f"watching: {self.n_rows:,} x {self.n_features} in float32, a tenth held out, "
            f"units {joined(self.units)}, batch {self.batch_size}, {self.epochs} epochs"
        )


@dataclass(frozen=True)
class Penguins:
    """Early stopping of networks for the penguins."""

    units: tuple[tuple[int, ...], ...] = ((12, 12), (128, 128))
    batch_size: int = 32
    epochs: int = 50
    repeats: int = 7

    def __str__(self) -> str:
        return (
            "penguins: early stopping in float32, a tenth held out, "
            f"units {' and '.join(map(joined, self.units))}, "
            f"batch {self.batch_size}, {self.epochs} epochs"
        )


@dataclass(frozen=True)
class Stream:
    """Chunks for `partial_fit`; memory is looked at from the chunk `settled` on."""

    n_chunks: int = 100
    settled: int = 20
    n_rows: int = 10_000
    n_features: int = 50
    units: tuple[int, ...] = (64,)
    batch_size: int = 256
    repeats: int = 3

    @property
    def chunk_megabytes(self) -> float:
        """Memory of a chunk of float32 numbers, in 1e6 bytes."""
        return 4e-6 * self.n_rows * self.n_features

    def __str__(self) -> str:
        return (
            f"stream: partial_fit on {self.n_chunks} chunks of {self.n_rows:,} x "
            f"{self.n_features} in float32, units {joined(self.units)}, batch {self.batch_size}"
        )


def skdense_classifier(
    setting: Watching | Penguins | Stream, **options: Any
) -> KerasDenseClassifier:
    """Return a network for a section."""
    return KerasDenseClassifier(
        batch_size=setting.batch_size, learning_rate=LEARNING_RATE, random_state=0, **options
    )


# --- watching ----------------------------------------------------------------------------


def watched_options(epochs: int) -> dict[str, dict[str, Any]]:
    """Return the ways to look at a training: those on held-out rows, then verbose=2."""
    stopping = {"early_stopping": True, "patience": epochs + 1}
    return {
        "early stopping": stopping,
        "early stopping, metrics": {**stopping, "metrics": ["accuracy"]},
        "validation, metrics": {"validation_fraction": 0.1, "metrics": ["accuracy"]},
        "early stopping on accuracy": {**stopping, "scoring": "accuracy"},
        "verbose=2": {"verbose": 2},
    }


def compare_watching(setting: Watching) -> Result:
    """Time fits that are watched beside a silent one on the rows that they train on.

    Accuracy is of all rows.
    """
    X, y = generate(setting.n_rows, setting.n_features, N_CLASSES)
    make = partial(skdense_classifier, setting, units=setting.units, epochs=setting.epochs)
    networks = {SILENT: make()}
    networks |= {name: make(**way) for name, way in watched_options(setting.epochs).items()}
    for network in networks.values():
        fit_unheard(network, X, y)  # the first fits compile
    held = held_out_rows(networks.values())
    trained = np.delete(X, held, axis=0), np.delete(y, held)
    contestants = {}
    for name, network in networks.items():
        data = trained if network.verbose or name == SILENT else (X, y)
        contestants[name] = Contestant(partial(fit_unheard, network, *data))
    seconds = take_turns(contestants, setting.repeats)
    require_epochs(networks, setting.epochs)
    accuracy = {name: float(network.score(X, y)) for name, network in networks.items()}
    title = f"{setting}, medians of {setting.repeats}"
    table = times_table("fit, s", seconds, accuracy, digits=4)
    return Result(title, "float32", table, {"fit": seconds}, watching_figures(seconds), accuracy)


def held_out_rows(networks: Iterable[Any]) -> Array:
    """Return the rows that the fitted networks which hold out any do; they must be the same."""
    held = [n.validation_indices_ for n in networks if hasattr(n, "validation_indices_")]
    if not all(np.array_equal(rows, held[0]) for rows in held):
        raise RuntimeError("Every network must hold out the same rows.")
    return held[0]


def fit_unheard(network: Any, X: Array, y: Array) -> None:
    """Fit without what that prints."""
    with redirect_stdout(io.StringIO()):
        network.fit(X, y)


def watching_figures(seconds: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Put every way to look at a training in relation to a silent one.

    A scorer takes the time that it takes, so it has no target.
    """
    return [
        Figure(
            f"{name} / silent",
            paired_ratio(times, seconds[SILENT]),
            None if "on accuracy" in name else MOST_WATCHED,
        )
        for name, times in seconds.items()
        if name != SILENT
    ]


# --- penguins ----------------------------------------------------------------------------


def penguin_networks(setting: Penguins) -> dict[str, Any]:
    """Return what competes, by name."""
    networks: dict[str, Any] = {}
    for units in setting.units:
        networks[f"{SKDENSE}, {joined(units)}"] = skdense_classifier(
            setting,
            units=units,
            epochs=setting.epochs,
            early_stopping=True,
            patience=setting.epochs + 1,
        )
        networks[f"{MLP}, {joined(units)}"] = mlp_classifier(
            setting.epochs,
            setting.batch_size,
            early_stopping=True,
            hidden_layer_sizes=units,
            learning_rate_init=LEARNING_RATE,
        )
    return networks


def compare_penguins(setting: Penguins) -> Result:
    """Time early stopping on a float32 table; accuracy is of all rows."""
    X, y = penguins()
    X = penguin_preparation().fit_transform(X).astype(np.float32)
    networks = penguin_networks(setting)
    fits = {name: Contestant(partial(network.fit, X, y)) for name, network in networks.items()}
    take_turns(fits, 1)  # the first fits compile
    seconds = take_turns(fits, setting.repeats)
    require_epochs(networks, setting.epochs)
    accuracy = {name: float(network.score(X, y)) for name, network in networks.items()}
    figures = []
    for units in map(joined, setting.units):
        ratio = paired_ratio(seconds[f"{SKDENSE}, {units}"], seconds[f"{MLP}, {units}"])
        figures.append(Figure(f"early stopping, {units} / MLP's", ratio, MOST_OF_MLP))
    title = f"{setting}, medians of {setting.repeats}"
    table = times_table("fit, s", seconds, accuracy, digits=4)
    return Result(title, "float32", table, {"fit": seconds}, figures, accuracy)


# --- stream ------------------------------------------------------------------------------


def compare_stream(setting: Stream) -> Result:
    """Time each chunk of whole streams; accuracy is of a chunk that nobody was trained on."""
    n_rows = setting.n_rows * setting.n_chunks
    X, y = generate(n_rows + setting.n_rows, setting.n_features, N_CLASSES)
    new = X[n_rows:], y[n_rows:]
    seconds: dict[str, list[float]] = {SKDENSE: [], MLP: []}
    accuracy, growth = {}, []
    clear_cache()
    traced_before = trace_count()
    for _ in range(setting.repeats):
        for name, network in stream_networks(setting).items():
            memory = []
            for chunk in chunks(X[:n_rows], y[:n_rows], setting.n_rows):
                run = partial(network.partial_fit, *chunk, classes=np.arange(N_CLASSES))
                # No garbage is collected in between, so as not to hide any.
                seconds[name].append(Contestant(run, prepare=leave_as_is).seconds())
                memory.append(resident_megabytes())
            if name == SKDENSE:
                growth.append(memory[-1] - memory[setting.settled - 1])
            accuracy[name] = float(network.score(*new))
    traced = trace_count() - traced_before
    title = f"{setting}, medians over the chunks of {setting.repeats} streams"
    figures = stream_figures(setting, seconds, traced, max(growth))
    table = times_table("chunk, s", seconds, accuracy, digits=4)
    return Result(title, "float32", table, {"chunk": seconds}, figures, accuracy)


def stream_networks(setting: Stream) -> dict[str, Any]:
    """Return what competes, by name."""
    mlp = mlp_classifier(
        1,
        setting.batch_size,
        hidden_layer_sizes=setting.units,
        learning_rate_init=LEARNING_RATE,
    )
    return {SKDENSE: skdense_classifier(setting, units=setting.units), MLP: mlp}


def chunks(X: Array, y: Array, n_rows: int) -> Iterator[tuple[Array, Array]]:
    """Return copies of so many rows after one another, as if they were read from a file."""
    for start in range(0, len(X), n_rows):
        yield X[start : start + n_rows].copy(), y[start : start + n_rows].copy()


def stream_figures(
    setting: Stream, seconds: Mapping[str, Sequence[float]], traced: int, growth: float
) -> list[Figure]:
    """Sum up what the streams cost; less than a chunk of memory may stay behind."""
    figures = [
        Figure("chunk / MLP's", paired_ratio(seconds[SKDENSE], seconds[MLP])),
        Figure("chunk, s", median(seconds[SKDENSE])),
        Figure("programs traced", traced, 1),
    ]
    if not isnan(growth):
        span = f"chunk {setting.settled} to {setting.n_chunks}"
        figures.append(Figure(f"memory growth, {span}, MB", growth, setting.chunk_megabytes))
    return figures


# --- command line ------------------------------------------------------------------------


def run_watching(options: argparse.Namespace) -> Result:
    """Compare ways to look at a training."""
    setting = Watching(n_rows=600, epochs=2) if options.quick else Watching()
    return compare_watching(replace(setting, repeats=options.repeats or setting.repeats))


def run_penguins(options: argparse.Namespace) -> Result:
    """Compare early stopping on the penguins."""
    setting = Penguins(epochs=2) if options.quick else Penguins()
    return compare_penguins(replace(setting, repeats=options.repeats or setting.repeats))


def run_stream(options: argparse.Namespace) -> Result:
    """Compare training on a stream."""
    setting = Stream(n_chunks=6, settled=2, n_rows=300) if options.quick else Stream()
    return compare_stream(replace(setting, repeats=options.repeats or setting.repeats))


SECTIONS: dict[str, Section] = {
    "watching": run_watching,
    "penguins": run_penguins,
    "stream": run_stream,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    options = command_line(__doc__, list(SECTIONS), "7, and 3 streams").parse_args(argv)
    start_tensorflow()
    run_sections(options, SECTIONS)


if __name__ == "__main__":
    main()
