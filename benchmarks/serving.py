"""What it takes to serve a trained network: from a fresh process, for one row, for a million.

Run ``python benchmarks/serving.py``; ``--help`` tells the rest. The contestants answer with
probabilities, from what each would keep on disk: skdense and MLPClassifier from a pickle, skdense
from its own file, `to_keras()` from a file of Keras, onnxruntime from the whole pipeline in ONNX.
Before Keras and skdense's own file, which are of networks, the pipeline's columns are prepared by
scikit-learn. From a fresh process KerasTabularClassifier answers too, of the penguin as it is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import median

from _processes import FreshProcess, run_fresh
from _report import format_table
from _sections import Figure, Result, Section, Series, command_line, run_sections
from _serving import (
    EVERYBODY,
    KERAS,
    LOADED,
    MLP,
    ONNX,
    ROWS,
    SKDENSE,
    TABULAR,
    agreement,
    answerer,
    time_bulk,
    time_first_answer,
    unpickled,
    write_networks,
    write_pipelines,
)
from _timing import in_turns, many_calls, take_turns
from _workloads import WORKLOADS

MOST_OF_MLP_COLD, MOST_OF_MLP_IN_BULK, MOST_DIFFERENCE = 1.3, 1.1, 1e-5
BULK_ROWS, MANY_ROWS = 1_000_000, 10_000


def compare_cold_starts(options: argparse.Namespace) -> Result:
    """Time fresh processes from their start to the answer for one penguin, and to their end."""
    with tempfile.TemporaryDirectory() as folder:
        tabular = {"units": 16, "depth": 1, "n_estimators": 2} if options.quick else {}
        run_fresh(write_pipelines, folder=folder, epochs=epochs(options), tabular=tabular)
        runs = {peer: partial(cold_start, peer, folder) for peer in (*EVERYBODY, TABULAR)}
        measured = in_turns(runs, options.repeats or (1 if options.quick else 7))
    seconds: Series = {
        phase: {peer: [run[phase] for run in own] for peer, own in measured.items()}
        for phase in ("load", "answer", "process")
    }
    took = {peer: median(own) for peer, own in seconds["process"].items()}
    loads = {peer: [run["loads TensorFlow"] for run in own] for peer, own in measured.items()}
    figures = [
        Figure("pickle, process / MLP's", took[SKDENSE] / took[MLP], MOST_OF_MLP_COLD),
        Figure("load, process / MLP's", took[LOADED] / took[MLP], MOST_OF_MLP_COLD),
        Figure("KerasTabular, process / MLP's", took[TABULAR] / took[MLP], MOST_OF_MLP_COLD),
        Figure("loads TensorFlow", max(loads[SKDENSE] + loads[LOADED] + loads[TABULAR]), 0),
        Figure("pickle, process / onnxruntime's", took[SKDENSE] / took[ONNX]),
        Figure("pickle, process / Keras'", took[SKDENSE] / took[KERAS]),
    ]
    title = f"from a fresh process to one penguin, in seconds, medians of {len(loads[MLP])}"
    return Result(title, "float32", table(seconds, 3), seconds, figures)


def cold_start(peer: str, folder: str) -> dict[str, float]:
    """Time the process as a whole too."""
    started = time.perf_counter()
    measured: dict[str, float] = run_fresh(time_first_answer, peer=peer, folder=folder)
    return {**measured, "process": time.perf_counter() - started}


def compare_latency(options: argparse.Namespace) -> Result:
    """Time answers of the whole pipeline, in one process that has answered before."""
    with tempfile.TemporaryDirectory() as folder:
        with FreshProcess() as process:
            process.call(write_pipelines, folder=folder, epochs=epochs(options), tabular=None)
            differences = json.loads(process.call(agreement, folder=folder))
        answers = {peer: answerer(peer, folder) for peer in EVERYBODY}
        rows = unpickled(Path(folder) / ROWS)
    many = rows.sample(200 if options.quick else MANY_ROWS, replace=True, random_state=0)
    repeats = options.repeats or (1 if options.quick else 5)
    seconds: Series = {
        task: take_turns(
            {peer: many_calls(partial(answer, own)) for peer, answer in answers.items()}, repeats
        )
        for task, own in (("one penguin", rows[:1]), (f"{len(many):,} penguins", many))
    }
    figures = [
        Figure(f"{task} / {name}", median(took[SKDENSE]) / median(took[peer]))
        for task, took in seconds.items()
        for name, peer in (("MLP's", MLP), ("onnxruntime's", ONNX), ("Keras'", KERAS))
    ]
    figures += [
        Figure(f"difference of {peer}", difference, MOST_DIFFERENCE)
        for peer, difference in differences.items()
        if peer != SKDENSE
    ]
    title = f"answers of a pipeline for penguins, in seconds, medians of {repeats}"
    return Result(title, "float32", table(seconds, 6), seconds, figures)


def compare_bulk(options: argparse.Namespace) -> Result:
    """Time and watch processes that answer for a million rows."""
    workload = replace(WORKLOADS[1], epochs=1)
    n_rows = 20_000 if options.quick else BULK_ROWS
    with tempfile.TemporaryDirectory() as folder:
        run_fresh(write_networks, folder=folder, workload=asdict(workload))
        sizes = {"n_rows": n_rows, "n_features": workload.n_features}
        runs = {
            peer: partial(run_fresh, time_bulk, peer=peer, folder=folder, **sizes)
            for peer in EVERYBODY
        }
        measured = in_turns(runs, options.repeats or (1 if options.quick else 5))
    found: Series = {
        quantity: {peer: [run[quantity] for run in own] for peer, own in measured.items()}
        for quantity in ("seconds", "megabytes")
    }
    figures = [
        Figure(
            f"{quantity} / MLP's",
            median(found[quantity][SKDENSE]) / median(found[quantity][MLP]),
            MOST_OF_MLP_IN_BULK,
        )
        for quantity in ("seconds", "megabytes")
    ]
    figures += [
        Figure(f"seconds / {peer}", median(found["seconds"][SKDENSE]) / median(own))
        for peer, own in found["seconds"].items()
        if peer in (ONNX, KERAS)
    ]
    title = (
        f"probabilities of {n_rows:,} x {workload.n_features} through 128-128, each in a process "
        f"of its own, medians of {len(measured[MLP])}; memory besides the rows"
    )
    shown = table(found, 2)
    return Result(
        title,
        "float32",
        shown,
        {"bulk": found.pop("seconds")},
        figures,
        others={"megabytes": found["megabytes"]},
    )


def table(seconds: Series, digits: int) -> str:
    """Return a line for each contestant: of each quantity the median and the range."""
    rows = [
        [
            peer,
            *(
                f"{median(own[peer]):.{digits}f} "
                f"({min(own[peer]):.{digits}f}-{max(own[peer]):.{digits}f})"
                for own in seconds.values()
            ),
        ]
        for peer in next(iter(seconds.values()))
    ]
    return format_table(["", *seconds], rows)


def epochs(options: argparse.Namespace) -> int:
    """Return how long to train; the times do not depend on it."""
    return 2 if options.quick else 50


SECTIONS: dict[str, Section] = {
    "cold": compare_cold_starts,
    "latency": compare_latency,
    "bulk": compare_bulk,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    options = command_line(__doc__, list(SECTIONS), "7 or 5").parse_args(argv)
    run_sections(options, SECTIONS)


if __name__ == "__main__":
    main()
