"""Speed of skdense beside scikit-learn's MLP, Keras, keras.wrappers and skorch, for the same work.

Run ``python benchmarks/speed.py``; ``--help`` tells the rest. Every contestant trains the same
architecture on the same rows in the same dtype with Adam, for the same epochs at the same batch
size. They take turns, and each figure is the median over the repeats. skorch competes where it
and PyTorch are installed. Targets are for classification in float32.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from _data import Array, read_mnist
from _peers import (
    KERAS,
    MLP,
    SKDENSE,
    SKORCH,
    WRAPPERS,
    mlp_network,
    require_epochs,
    score,
    skdense_network,
    start_tensorflow,
)
from _report import MatrixProduct, format_table
from _sections import Figure, Result, Section, Series, command_line, run_sections
from _skorch_peer import IS_INSTALLED, Skorch
from _timing import Contestant, many_calls, take_turns
from _workloads import WORKLOADS, Workload

import skdense

FIRST, NEW_KERAS, PRODUCT = "skdense, first fit", "Keras, new model", "large matrix product"
BY_DEFAULT = "skdense, dtype='auto'"
MOST_PREDICT_RATIO = 2.0
KERAS_REPEATS = 3  # at most, since Keras takes up to a hundred times longer than the others


def without_programs() -> None:
    """Make the next skdense fit of any architecture trace and compile."""
    skdense.clear_cache()
    gc.collect()


def networks(workload: Workload, X: Array, y: Array) -> dict[str, Any]:
    """Return what competes, by name."""
    from _keras_peers import PlainKeras, WrappedKeras  # after skdense has loaded it quietly

    competing = {SKDENSE: skdense_network(workload)}
    if workload.dtype == "float64":  # which the default reads, but only small data train in
        competing[BY_DEFAULT] = skdense_network(workload, dtype="auto")
    competing |= {
        MLP: mlp_network(workload),
        KERAS: PlainKeras(workload, X, y),
        WRAPPERS: WrappedKeras(workload),
    }
    if IS_INSTALLED:
        competing[SKORCH] = Skorch(workload)
        competing[SKORCH].fit(X, y)  # PyTorch takes a second at its first one
    return competing


def fit_contestants(
    workload: Workload, competing: dict[str, Any], X: Array, y: Array
) -> dict[str, Contestant]:
    """Return what is timed of fits; those of skdense that are not a first fit have compiled."""
    from _keras_peers import PlainKeras, precision

    ours, keras = competing[SKDENSE], competing[KERAS]
    contestants = {FIRST: Contestant(partial(ours.fit, X, y), prepare=without_programs)}
    for name, network in competing.items():
        contestants[name] = Contestant(partial(network.fit, X, y))
    if BY_DEFAULT in competing:
        # It may train in float32, which a policy of float64 would contradict. Its program has been
        # forgotten by then, so a first fit goes before.
        fit = partial(precision("float32")(competing[BY_DEFAULT].fit), X, y)
        contestants[BY_DEFAULT] = Contestant(fit, prepare=fit)
    slow = {"at_most": KERAS_REPEATS}
    contestants[KERAS] = Contestant(partial(keras.fit, X, y), prepare=keras.reset, **slow)
    contestants[NEW_KERAS] = Contestant(partial(PlainKeras, workload, X, y), **slow)
    contestants[WRAPPERS] = replace(contestants[WRAPPERS], **slow)
    return contestants


def compare(workload: Workload, X: Array, y: Array, product: MatrixProduct) -> Result:
    """Time fits, then predictions of one row and of all; the score is of the training rows."""
    competing = networks(workload, X, y)
    contestants = fit_contestants(workload, competing, X, y)
    contestants[PRODUCT] = many_calls(product)
    fits = take_turns(contestants, workload.repeats)
    seconds = {"product": {PRODUCT: fits.pop(PRODUCT)}, "fit": fits}
    require_epochs(competing, workload.epochs)
    for task, rows in (("predict_row", X[:1]), ("predict_all", X)):
        predictions = {
            name: many_calls(partial(network.predict, rows)) for name, network in competing.items()
        }
        seconds[task] = take_turns(predictions, workload.repeats)
    scores = {name: score(workload, network, X, y) for name, network in competing.items()}
    rate = product.gflop / median(seconds["product"][PRODUCT])
    slow = min(KERAS_REPEATS, workload.repeats)
    title = f"{workload}, medians of {workload.repeats} ({slow} of Keras' fits)"
    table = f"{fits_table(workload, seconds['fit'], scores, rate)}\n\n{predictions_table(seconds)}"
    found = figures(workload, seconds, rate)
    return Result(title, workload.dtype, table, seconds, found, scores)


def figures(workload: Workload, seconds: Series, product_rate: float) -> list[Figure]:
    """Put skdense in relation to the others."""
    fit, row, bulk = (
        {name: median(repeats) for name, repeats in seconds[task].items()}
        for task in ("fit", "predict_row", "predict_all")
    )
    ours = fit[SKDENSE]
    found = [
        Figure("fit / MLP's", ours / fit[MLP], workload.most_of_mlp),
        Figure("fit / Keras'", ours / fit[KERAS], workload.most_of_keras),
        Figure("fit / Keras' of a new model", ours / fit[NEW_KERAS]),
        Figure("fit / keras.wrappers'", ours / fit[WRAPPERS]),
    ]
    found += [Figure("fit / skorch's", ours / fit[SKORCH])] if SKORCH in fit else []
    found += [
        Figure(
            "rate / large matrix product's",
            workload.gflop / ours / product_rate,
            at_least=workload.least_of_sgemm,
        ),
        Figure("extra cost of a first fit, s", fit[FIRST] - ours),
        Figure("predict one row / MLP's", row[SKDENSE] / row[MLP], MOST_PREDICT_RATIO),
        Figure("predict one row / Keras'", row[SKDENSE] / row[KERAS]),
        Figure("predict all rows / MLP's", bulk[SKDENSE] / bulk[MLP]),
        Figure("predict all rows / Keras'", bulk[SKDENSE] / bulk[KERAS]),
    ]
    return found


def fits_table(
    workload: Workload,
    seconds: dict[str, list[float]],
    scores: dict[str, float],
    product_rate: float,
) -> str:
    """Return a line for each way to fit."""
    rows = []
    for name, repeats in seconds.items():
        fit = median(repeats)
        rate = workload.gflop / fit
        cells = [name, f"{fit:.4f}", f"{min(repeats):.4f}-{max(repeats):.4f}"]
        cells += [
            f"{1e6 * fit / workload.n_steps:.1f}",
            f"{rate:.3g}",
            f"{rate / product_rate:.1%}",
        ]
        rows.append([*cells, f"{scores[name]:.3f}" if name in scores else ""])
    measure = "R2" if workload.n_classes is None else "accuracy"
    share = f"of {product_rate:.0f} GFLOP/s"
    return format_table(["", "fit, s", "range", "us/step", "GFLOP/s", share, measure], rows)


def predictions_table(seconds: Series) -> str:
    """Return a line for each contestant."""
    rows = []
    for name, row in seconds["predict_row"].items():
        bulk = seconds["predict_all"][name]
        cells = [name, f"{1e6 * median(row):.0f}", f"{1e6 * min(row):.0f}-{1e6 * max(row):.0f}"]
        cells += [f"{1e3 * median(bulk):.3f}", f"{1e3 * min(bulk):.3f}-{1e3 * max(bulk):.3f}"]
        rows.append(cells)
    return format_table(["", "predict 1, us", "range", "predict all, ms", "range"], rows)


def variants() -> dict[str, Workload]:
    """Return the workloads, each in both dtypes, for classification and for regression."""
    found = {}
    for workload in WORKLOADS:
        in_float64 = workload.without_targets(dtype="float64")
        numbers = workload.without_targets(n_classes=None)
        both = numbers.without_targets(dtype="float64")
        for name, variant in (
            ("", workload),
            ("-float64", in_float64),
            ("-regression", numbers),
            ("-regression-float64", both),
        ):
            found[workload.name + name] = replace(variant, name=workload.name + name)
    return found


def run_workload(workload: Workload, options: argparse.Namespace) -> Result:
    """Compare one workload."""
    if options.quick:
        workload = replace(workload, n_rows=max(60, workload.n_rows // 40), epochs=2)
    workload = replace(workload, repeats=options.repeats or workload.repeats)
    if workload.name.startswith("large") and workload.n_classes and options.data:
        X, y = read_mnist(options.data, workload.n_rows)
        X = X.astype(workload.dtype, copy=False)
        workload = replace(workload, n_rows=len(X), data="MNIST")
    else:
        X, y = workload.rows()
    product = MatrixProduct(256 if options.quick else 2048, workload.dtype)
    with keras_precision(workload.dtype):
        return compare(workload, X, y, product)


def keras_precision(dtype: str) -> contextlib.AbstractContextManager[None]:
    """Let Keras compute in float64 where everybody does."""
    from _keras_peers import precision

    return precision(dtype)


SECTIONS: dict[str, Section] = {
    name: partial(run_workload, workload) for name, workload in variants().items()
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    parser = command_line(__doc__, list(SECTIONS), "5, and 3 for the large workloads")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files, for large ones")
    options = parser.parse_args(argv)
    if not IS_INSTALLED:
        print("skorch is left out: it needs `pip install skorch torch`")
    start_tensorflow()
    run_sections(options, SECTIONS)


if __name__ == "__main__":
    main()
