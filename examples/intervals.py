"""How sure is a prediction? Intervals that hold what they say, from one fit.

Predicts how diabetes goes on for 442 patients, with an interval in which nine of ten are to end.
The network learns the quantiles at 5 and 95 %. What it learned on few rows is too narrow; but each
of its eight networks has held out a fold, and by how much those rows missed their interval says how
far to widen it (conformalized quantile regression, Romano et al. 2019, arXiv 1905.03222). By
default the network itself shifts each quantile likewise, which ``scoring="loss"`` leaves out here.
Around a single prediction the interval is as wide for everybody.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold

from skdense import KerasTabularRegressor

Array = NDArray[Any]
Interval = tuple[Array, Array]

ALPHA = 0.1  # share of rows that an interval may miss
LEVELS = (ALPHA / 2, 0.5, 1 - ALPHA / 2)
LEARNED, WIDENED, AROUND = "quantiles as learned", "widened by folds", "around the prediction"


def widen(scores: Array) -> float:
    """Return what all but a share ALPHA of rows to come miss by at most."""
    n_rows = len(scores)
    rank = min(int(np.ceil((1 - ALPHA) * (n_rows + 1))), n_rows)
    return float(np.sort(scores)[rank - 1])


def by_quantiles(train: Any, y: Array, test: Any, epochs: Any) -> Iterator[tuple[str, Interval]]:
    """Yield the learned interval, and the one that rows out of fold have widened."""
    regressor = KerasTabularRegressor(
        quantiles=LEVELS, scoring="loss", epochs=epochs, random_state=0
    )
    low, _, high = regressor.fit(train, y).predict_quantiles(test).T
    yield LEARNED, (low, high)
    out_low, _, out_high = regressor.oof_prediction_.T
    missed = widen(np.maximum(out_low - y, y - out_high))
    yield WIDENED, (low - missed, high + missed)


def around_prediction(train: Any, y: Array, test: Any, epochs: Any) -> Interval:
    """Return the prediction, less and plus what predictions out of fold miss by."""
    regressor = KerasTabularRegressor(epochs=epochs, random_state=0).fit(train, y)
    missed = widen(np.abs(y - regressor.oof_prediction_))
    predicted = regressor.predict(test)
    return predicted - missed, predicted + missed


def predict_all(X: Any, y: Array, n_folds: int, epochs: Any) -> dict[str, Array]:
    """Return the interval of each row, (n_rows, 2), by who did not see it in training."""
    found = {name: np.empty((len(y), 2)) for name in (LEARNED, WIDENED, AROUND)}
    for train, test in KFold(n_folds, shuffle=True, random_state=0).split(X):
        rows = X.iloc[train], y[train], X.iloc[test], epochs
        for name, interval in (*by_quantiles(*rows), (AROUND, around_prediction(*rows))):
            found[name][test] = np.column_stack(interval)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--picture", type=Path, default=Path("intervals.png"))
    options = parser.parse_args(argv)

    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    y = y.to_numpy()
    found = predict_all(X, y, options.folds, options.epochs or "auto")
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.5), sharey=True, layout="constrained")
    for (name, interval), ax in zip(found.items(), axes, strict=True):
        low, high = interval.T
        covered, width = np.mean((low <= y) & (y <= high)), np.mean(high - low)
        print(f"{name:21}  covers {covered:.1%} of {1 - ALPHA:.0%}, mean width {width:.0f}")
        order = np.argsort(interval.mean(axis=1))
        ax.fill_between(np.arange(len(y)), low[order], high[order], alpha=0.3)
        ax.plot(np.arange(len(y)), y[order], ".", markersize=3)
        ax.set(title=f"{name}: {covered:.0%} inside", xlabel="patients, by their interval")
    axes[0].set_ylabel("how diabetes went on in a year")
    figure.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
