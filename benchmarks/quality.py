"""What untuned estimators predict of real tables: skdense beside MLP, forests and RealMLP.

Run ``python benchmarks/quality.py --data DIR``; ``--help`` tells the rest. Every contestant gets
the same matrix of the same split, and its own defaults; "skdense, tabular" gets the columns as
they are, and "skdense, recipe" is the same estimator on the matrix. Peers that know categories take
part twice: "typed" ones get the columns, too, texts as pandas' categories, which they are told of
where they have to be. CatBoost and RealMLP (pytabkit) compete where they are installed. Lower is
better: log-loss, or the root of the mean squared error by the standard deviation of the target.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from _report import format_table
from _sections import Figure, Result, Section, command_line, run_sections
from _tables import MOST_TRAINING_ROWS, TABLES, Split, impute_numbers, split
from scipy.stats import rankdata
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)

PLAIN, RECIPE, TABULAR = "skdense", "skdense, recipe", "skdense, tabular"
TYPED = ", typed"  # ends the names of those that get columns with categories

Make = Callable[[int], Any]  # from a seed to an estimator
Seeds = dict[str, list[float]]  # of each contestant, a number for each seed


# What the recipe is without each of its parts.
PARTS: dict[str, dict[str, Any]] = {
    "embedding": {"numeric_embedding": None},
    "piecewise-linear, but periodic embedding": {
        "numeric_embedding": "periodic",
        "embedding_units": 4,
    },
    "learned scale": {"learned_scale": False},
    "robust scaling": {"input_scaling": None},
    "dropout": {"dropout": 0.0},
    "weight decay": {"weight_decay": None},
    "schedule": {"learning_rate_schedule": None},
    "cycles, but one cosine": {"learning_rate_schedule": "cosine"},
    "calibrated loss, but plain": {"scoring": "loss"},
    "calibration": {"calibration": None},
    "best epoch, but the last": {"early_stopping": False},
    "folds, but a tenth held out": {"validation_fraction": 0.1},
    "seven of the eight networks": {
        "n_estimators": 1,
        "validation_fraction": 0.1,
        "scoring": "loss",
    },
}


def _ours(is_regression: bool) -> Make:
    kind: Any = KerasDenseRegressor if is_regression else KerasDenseClassifier
    return lambda seed: kind(random_state=seed)


def _recipe(is_regression: bool, **changes: Any) -> Make:
    kind: Any = KerasTabularRegressor if is_regression else KerasTabularClassifier
    if is_regression:
        changes.pop("calibration", None)
    return lambda seed: kind(random_state=seed, **changes)


def _mlp(is_regression: bool, **parameters: Any) -> Make:
    if not is_regression:
        return lambda seed: MLPClassifier(**parameters, random_state=seed)
    # MLPRegressor leaves the scale of the target to its user.
    return lambda seed: TransformedTargetRegressor(
        MLPRegressor(**parameters, random_state=seed), transformer=StandardScaler()
    )


def _forest(is_regression: bool) -> Make:
    kind = HistGradientBoostingRegressor if is_regression else HistGradientBoostingClassifier
    return lambda seed: kind(random_state=seed)


def _catboost(is_regression: bool) -> Make | None:
    if not find_spec("catboost"):
        return None
    import catboost

    kind = catboost.CatBoostRegressor if is_regression else catboost.CatBoostClassifier
    return lambda seed: kind(random_seed=seed, verbose=0, allow_writing_files=False)


def _realmlp(is_regression: bool, *, is_typed: bool = False) -> Make | None:
    if not find_spec("pytabkit"):
        return None
    import pytabkit

    kind = pytabkit.RealMLP_TD_Regressor if is_regression else pytabkit.RealMLP_TD_Classifier
    if not is_typed:
        return lambda seed: kind(random_state=seed, device="cpu")
    # It refuses gaps.
    return lambda seed: make_pipeline(impute_numbers(), kind(random_state=seed, device="cpu"))


CONTESTANTS: dict[str, Callable[[bool], Make | None]] = {
    PLAIN: _ours,
    RECIPE: _recipe,
    TABULAR: _recipe,
    "MLP": _mlp,
    "MLP 256-256, stopping": partial(_mlp, hidden_layer_sizes=(256, 256), early_stopping=True),
    "HistGradientBoosting": _forest,
    "CatBoost": _catboost,
    "RealMLP": _realmlp,
    f"HistGradientBoosting{TYPED}": _forest,
    f"CatBoost{TYPED}": _catboost,
    f"RealMLP{TYPED}": partial(_realmlp, is_typed=True),
}
ABLATIONS: dict[str, Callable[[bool], Make | None]] = {
    f"recipe without {part}": partial(_recipe, **changes) for part, changes in PARTS.items()
}


@dataclass(frozen=True)
class Judged:
    """How well, and how fast, a contestant did."""

    loss: float
    score: float
    seconds: float


def view(data: Split, contestant: str) -> tuple[Any, Any]:
    """Return the columns as a contestant takes them, to train on and to judge by."""
    if contestant == TABULAR:
        return data.raw_train, data.raw_test
    return data.typed if contestant.endswith(TYPED) else (data.X_train, data.X_test)


def fit_options(contestant: str, X: Any) -> dict[str, Any]:
    """Return what `fit` has to be told of the columns; only CatBoost does not see it by itself."""
    is_told = contestant == f"CatBoost{TYPED}"
    return {"cat_features": list(X.select_dtypes("category"))} if is_told else {}


def judge(estimator: Any, data: Split, contestant: str, *, is_regression: bool) -> Judged:
    """Fit, and judge by the rows held out."""
    X_train, X_test = view(data, contestant)
    options = fit_options(contestant, X_train)
    start = time.perf_counter()
    with _quiet():
        estimator.fit(X_train, data.y_train, **options)
    seconds = time.perf_counter() - start
    if is_regression:
        predicted = np.ravel(estimator.predict(X_test))
        error = root_mean_squared_error(data.y_test, predicted) / np.std(data.y_test)
        return Judged(float(error), float(r2_score(data.y_test, predicted)), seconds)
    probabilities = np.asarray(estimator.predict_proba(X_test), np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = np.arange(probabilities.shape[1])
    accuracy = accuracy_score(data.y_test, labels[probabilities.argmax(axis=1)])
    return Judged(log_loss(data.y_test, probabilities, labels=labels), accuracy, seconds)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what peers print and warn of while they train."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def compare(
    name: str, losses: dict[str, Seeds], times: dict[str, Seeds], options: argparse.Namespace
) -> Result:
    """Let all contestants predict one table, over all seeds."""
    table, judged = TABLES[name], dict[str, list[Judged]]()
    for seed in options.seeds:
        most = 300 if options.quick else MOST_TRAINING_ROWS
        data = split(table, options.data, seed, most)
        for contestant in options.contestants:
            make = (CONTESTANTS | ABLATIONS)[contestant](table.is_regression)
            if make is None:
                continue
            estimator = make(seed)
            if options.quick and hasattr(estimator, "epochs"):
                estimator.set_params(epochs=2, units=8, depth=1)
            own = judge(estimator, data, contestant, is_regression=table.is_regression)
            judged.setdefault(contestant, []).append(own)
            done = f"{own.loss:.4f} in {own.seconds:.1f} s"
            print(f"{name}, seed {seed}, {contestant}: {done}", flush=True)
    losses[name] = {who: [own.loss for own in each] for who, each in judged.items()}
    times[name] = {who: [own.seconds for own in each] for who, each in judged.items()}
    scores = {who: mean(own.score for own in each) for who, each in judged.items()}
    rows = [
        [who, f"{mean(losses[name][who]):.4f}", f"{scores[who]:.4f}", f"{median(spent):.1f}"]
        for who, spent in times[name].items()
    ]
    measures = ["RMSE / std", "R2"] if table.is_regression else ["log-loss", "accuracy"]
    return Result(
        title=f"{name}, {data.X_train.shape[0]} rows of {data.X_train.shape[1]} columns",
        dtype=str(data.X_train.dtype),
        table=format_table(["", *measures, "fit, s"], rows),
        seconds={"fit": times[name]},
        figures=_figures(losses[name], times[name]),
        score=scores,
        others={"loss": {"test": losses[name]}},
    )


def _figures(losses: Seeds, times: Seeds) -> list[Figure]:
    """Put the recipe in relation to each peer."""
    if RECIPE not in losses:
        return []
    ours = mean(losses[RECIPE]), median(times[RECIPE])
    figures = []
    for who in losses.keys() - {RECIPE, PLAIN, TABULAR}:
        figures.append(Figure(f"recipe's loss / {who}'s", ours[0] / mean(losses[who])))
        figures.append(Figure(f"recipe's fit / {who}'s", ours[1] / median(times[who])))
    return sorted(figures, key=lambda figure: figure.name)


def rank(losses: dict[str, Seeds], times: dict[str, Seeds]) -> str:
    """Return the mean rank of each contestant over tables and seeds, and its mean time."""
    names = list(next(iter(losses.values())))
    columns = [
        [by_name[who][number] for who in names]
        for by_name in losses.values()
        for number in range(len(by_name[names[0]]))
    ]
    ranks = np.mean([rankdata(column) for column in columns], axis=0)
    seconds = {who: mean(median(by_name[who]) for by_name in times.values()) for who in names}
    order = np.argsort(ranks)
    rows = [[names[n], f"{ranks[n]:.2f}", f"{seconds[names[n]]:.1f}"] for n in order]
    return format_table(["", "mean rank", "mean fit, s"], rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tables asked for, and rank who took part."""
    parser = command_line(__doc__, list(TABLES), "1, see --seeds")
    parser.add_argument("--data", type=Path, help="folder of the tables, see _tables.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of splits and fits")
    every = [*CONTESTANTS, *ABLATIONS]
    names = {"choices": every, "default": list(CONTESTANTS), "metavar": "NAME"}
    parser.add_argument("--contestants", nargs="+", **names, help=f"any of {', '.join(every)}")
    parser.add_argument("--ablate", action="store_true", help="the recipe, and without each part")
    options = parser.parse_args(argv)
    if options.ablate:
        options.contestants = [RECIPE, *ABLATIONS]
    if options.data is None and options.only != ["penguins"]:
        parser.error("--data is needed for all but --only penguins")
    losses: dict[str, Seeds] = {}
    times: dict[str, Seeds] = {}
    sections: dict[str, Section] = {
        name: partial(compare, name, losses, times) for name in options.only
    }
    run_sections(options, sections)
    print(f"\n{len(losses)} tables, {len(options.seeds)} seeds\n\n{rank(losses, times)}")


if __name__ == "__main__":
    main()
