"""What do class weights change where one class is rare?

One row in 33 is of the class that matters. Without weights a network finds few of them, since
missing them costs little; with ``class_weight="balanced"`` it finds most, at the price of false
alarms, and its probabilities are those of a world in which both classes are as common.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    balanced_accuracy_score,
    precision_score,
    recall_score,
)
from sklearn.model_selection import train_test_split

from skdense import KerasDenseClassifier


def compare(
    y_true: np.ndarray, predicted: np.ndarray, class_weight: str | None, ax: plt.Axes
) -> None:
    """Print scores, and draw how many of which class are taken for which."""
    recall = recall_score(y_true, predicted)
    precision = precision_score(y_true, predicted, zero_division=0)
    balanced = balanced_accuracy_score(y_true, predicted)
    print(f"{class_weight!s:14}{recall:8.3f}{precision:11.3f}{balanced:19.3f}")
    look = {"display_labels": ["common", "rare"], "cmap": "Blues", "colorbar": False}
    ConfusionMatrixDisplay.from_predictions(y_true, predicted, **look, ax=ax)
    ax.set_title(f"class_weight={class_weight!r}\n{recall:.0%} of the rare ones found")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--picture", type=Path, default=Path("imbalanced_classes.png"))
    options = parser.parse_args(argv)

    X, y = make_classification(
        12_000, 20, n_informative=6, weights=[0.97], class_sep=0.8, flip_y=0, random_state=0
    )
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
    print(f"{'class_weight':14}{'recall':>8}{'precision':>11}{'balanced accuracy':>19}")
    for class_weight, ax in zip((None, "balanced"), axes, strict=True):
        network = KerasDenseClassifier(
            units=32, dropout=0.2, epochs=options.epochs, class_weight=class_weight, random_state=0
        )
        compare(y_test, network.fit(X_train, y_train).predict(X_test), class_weight, ax)
    figure.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
