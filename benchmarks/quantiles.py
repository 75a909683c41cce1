"""Quantiles of numbers: skdense learns all at once, HistGradientBoosting one forest for each.

A quarter of each table is held out. The loss is the mean pinball loss over the levels, in standard
deviations of y; the interval goes from the first level to the last.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from _report import format_table
from _sections import Figure, Result, Section, command_line, run_sections
from _tables import MOST_TRAINING_ROWS, TABLES, Split, Table, split
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss

from skdense import KerasDenseRegressor, KerasTabularRegressor

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
TABULAR, PLAIN, FOREST = "KerasTabular", "KerasDense", "HistGradientBoosting"

_ENERGY = "energy_efficiency/energy_efficiency.csv"
NUMBERS = {name: table for name, table in TABLES.items() if table.is_regression} | {
    "housing": Table("median_house_value", "california_housing/housing.csv", is_regression=True),
    "heating": Table("Y1", _ENERGY, is_regression=True, dropped=["Y2"]),
    "cooling": Table("Y2", _ENERGY, is_regression=True, dropped=["Y1"]),
    "penguins": Table("body_mass_g", is_regression=True),
}


def _predict_by_network(estimator: Any, data: Split, *, is_raw: bool) -> Any:
    X_train, X_test = (data.raw_train, data.raw_test) if is_raw else (data.X_train, data.X_test)
    return estimator.fit(X_train, data.y_train).predict_quantiles(X_test)


def _by_tabular(data: Split, seed: int, **changes: Any) -> Any:
    estimator = KerasTabularRegressor(quantiles=LEVELS, random_state=seed, **changes)
    return _predict_by_network(estimator, data, is_raw=True)


def _by_plain(data: Split, seed: int, **changes: Any) -> Any:
    estimator = KerasDenseRegressor(quantiles=LEVELS, random_state=seed, **changes)
    return _predict_by_network(estimator, data, is_raw=False)


def _by_forests(data: Split, seed: int, epochs: int | None = None) -> Any:
    forests = [
        HistGradientBoostingRegressor(
            loss="quantile",
            quantile=level,
            max_iter=100 if epochs is None else epochs,
            random_state=seed,
        )
        for level in LEVELS
    ]
    predicted = [own.fit(data.X_train, data.y_train).predict(data.X_test) for own in forests]
    return np.column_stack(predicted)


CONTESTANTS: dict[str, Callable[..., Any]] = {
    TABULAR: _by_tabular,
    PLAIN: _by_plain,
    FOREST: _by_forests,
}


def judge(predict: Callable[..., Any], data: Split, seed: int, **changes: Any) -> list[float]:
    """Return loss, coverage and width of the interval, share of rows that cross, and seconds."""
    start = time.perf_counter()
    quantiles = predict(data, seed, **changes)
    seconds = time.perf_counter() - start
    scale = np.std(data.y_test)
    losses = [
        mean_pinball_loss(data.y_test, own, alpha=level)
        for own, level in zip(quantiles.T, LEVELS, strict=True)
    ]
    low, high = quantiles[:, 0], quantiles[:, -1]
    covered = np.mean((low <= data.y_test) & (data.y_test <= high))
    crossing = np.mean((np.diff(quantiles, axis=1) < 0).any(axis=1))
    return [mean(losses) / scale, covered, np.mean(high - low) / scale, crossing, seconds]


def compare(name: str, options: argparse.Namespace) -> Result:
    """Let all contestants predict the quantiles of one table, over all seeds."""
    found: dict[str, list[list[float]]] = {who: [] for who in CONTESTANTS}
    changes = {"epochs": 2} if options.quick else {}
    for seed in options.seeds:
        most = 200 if options.quick else MOST_TRAINING_ROWS
        data = split(NUMBERS[name], options.data, seed, most)
        for who, predict in CONTESTANTS.items():
            found[who].append(judge(predict, data, seed, **changes))
            loss, *_, seconds = found[who][-1]
            print(f"{name}, seed {seed}, {who}: {loss:.4f} in {seconds:.1f} s", flush=True)
    rows = []
    for who, each in found.items():
        loss, covered, width, crossing, _ = np.mean(each, axis=0)
        shown = [f"{loss:.4f}", f"{covered:.3f}", f"{width:.2f}", f"{crossing:.3f}"]
        rows.append([who, *shown, f"{median(own[-1] for own in each):.1f}"])
    losses = {who: [own[0] for own in each] for who, each in found.items()}
    ratio = mean(losses[TABULAR]) / mean(losses[FOREST])
    wanted = LEVELS[-1] - LEVELS[0]
    names = ["", "pinball / std", f"covered ({wanted:.2f})", "width / std", "crossing", "fit, s"]
    return Result(
        title=f"{name}, {data.X_train.shape[0]} rows of {data.X_train.shape[1]} columns",
        dtype=str(data.X_train.dtype),
        table=format_table(names, rows),
        seconds={"fit": {who: [own[-1] for own in each] for who, each in found.items()}},
        figures=[Figure(f"loss of {TABULAR} / {FOREST}'s", ratio)],
        score={who: mean(own[1] for own in each) for who, each in found.items()},
        others={"loss": {"test": losses}},
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tables asked for."""
    parser = command_line(__doc__, list(NUMBERS), "1, see --seeds")
    parser.add_argument("--data", type=Path, help="folder of the tables, see _tables.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of splits and fits")
    options = parser.parse_args(argv)
    if options.data is None and options.only != ["penguins"]:
        parser.error("--data is needed for all but --only penguins")
    sections: dict[str, Section] = {name: partial(compare, name) for name in options.only}
    run_sections(options, sections)


if __name__ == "__main__":
    main()
