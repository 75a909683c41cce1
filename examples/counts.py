"""How often do people see a doctor? Counts, and rows that stand for many people.

20,190 years of people in the RAND Health Insurance Experiment. A Poisson loss learns the rate of
visits, and beats scikit-learn's linear ``PoissonRegressor`` where rates are no straight lines. Who
has only cells, visits and people for each kind of person, learns the same from fewer rows: the
target is visits a person, and the exposure, the number of people, is the ``sample_weight``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import RegressorMixin
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import mean_poisson_deviance
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.datasets import randhie

from skdense import KerasDenseRegressor

VISITS, EXPOSURE = "mdvis", "people"


def make_models(epochs: int) -> dict[str, RegressorMixin]:
    """Return the contestants by name."""
    network = KerasDenseRegressor(units=32, loss="poisson", epochs=epochs, random_state=0)
    return {"PoissonRegressor": PoissonRegressor(max_iter=1000), "dense network": network}


def count_cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each kind of person, with the visits a person and the number of people."""
    kinds = [name for name in rows.columns if name != VISITS]
    cells = rows.groupby(kinds)[VISITS].agg(["mean", "size"]).reset_index()
    return cells.rename(columns={"mean": VISITS, "size": EXPOSURE})


def draw_calibration(ax: plt.Axes, name: str, predicted: np.ndarray, visits: np.ndarray) -> None:
    """Draw the mean visits of ten groups of people by what was predicted of them."""
    groups = pd.qcut(predicted, 10, labels=False, duplicates="drop")
    means = pd.DataFrame({"predicted": predicted, "visits": visits}).groupby(groups).mean()
    ax.plot(means["predicted"], means["visits"], "o-", label=name)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--picture", type=Path, default=Path("counts.png"))
    options = parser.parse_args(argv)

    train, test = train_test_split(randhie.load_pandas().data, random_state=0)
    cells = count_cells(train)
    print(f"{len(train)} years of people, {len(cells)} kinds of people; mean deviance of others:")
    figure, ax = plt.subplots(figsize=(6.5, 6), layout="constrained")
    for name, model in make_models(options.epochs).items():
        pipeline = make_pipeline(StandardScaler(), model)
        step = pipeline.steps[-1][0]
        deviances = []
        for rows in (train.assign(**{EXPOSURE: 1}), cells):
            X, y, weights = rows.drop(columns=[VISITS, EXPOSURE]), rows[VISITS], rows[EXPOSURE]
            pipeline.fit(X, y, **{f"{step}__sample_weight": weights})
            predicted = pipeline.predict(test.drop(columns=VISITS))
            deviances.append(mean_poisson_deviance(test[VISITS], predicted))
        print(f"{name:17} by people {deviances[0]:.3f}, by cells {deviances[1]:.3f}")
        draw_calibration(ax, name, predicted, test[VISITS].to_numpy())
    ax.axline((2, 2), slope=1, color="grey", linestyle=":")
    ax.set(xlabel="predicted visits in a year", ylabel="mean visits of such people")
    ax.legend()
    figure.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
