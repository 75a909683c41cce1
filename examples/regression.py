"""Is a network worth it for a small regression? It has to beat a linear model to be.

Predicts how diabetes goes on from ten measurements of 442 patients. Every prediction is for a
patient that was not trained on. With so few rows and hardly any bends to be learnt the two models
come out level: try the simple one first.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.base import RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.metrics import PredictionErrorDisplay, mean_absolute_error, r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdense import KerasDenseRegressor


def make_models(epochs: int) -> dict[str, RegressorMixin]:
    """Return the contestants by name."""
    network = KerasDenseRegressor(
        units=32, l2=0.01, dropout=0.2, batch_size=32, epochs=epochs, random_state=0
    )
    return {
        "ridge regression": make_pipeline(StandardScaler(), RidgeCV()),
        "dense network": make_pipeline(StandardScaler(), network),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--picture", type=Path, default=Path("regression.png"))
    options = parser.parse_args(argv)

    X, y = load_diabetes(return_X_y=True)
    folds = KFold(5, shuffle=True, random_state=0)
    figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
    for (name, model), ax in zip(make_models(options.epochs).items(), axes, strict=True):
        predicted = cross_val_predict(model, X, y, cv=folds)
        r2, error = r2_score(y, predicted), mean_absolute_error(y, predicted)
        print(f"{name:18} R2 {r2:.3f}, mean absolute error {error:.1f}")
        PredictionErrorDisplay.from_predictions(
            y, predicted, kind="actual_vs_predicted", scatter_kwargs={"alpha": 0.5}, ax=ax
        )
        ax.set_title(f"{name}: R² {r2:.3f}")
    figure.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
