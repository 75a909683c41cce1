"""What finds more of a rare class: weights, a focal loss, or another threshold?

One row in 33 is of the class that matters. A network finds few of them, since missing them costs
little. With ``class_weight="balanced"`` it finds most, at the price of false alarms, and its
probabilities are those of a world in which both classes are as common. A focal loss that is
balanced likewise looks away from rows that are easy, and does much the same. A threshold below one
half, tuned by scikit-learn's ``TunedThresholdClassifierCV``, finds as many as weights do, and
leaves the probabilities true.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import matplotlib.pyplot as plt
from sklearn.base import ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    balanced_accuracy_score,
    log_loss,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from skdense import KerasDenseClassifier


def make_models(epochs: int) -> dict[str, ClassifierMixin]:
    """Return the contestants by name."""
    shared = {"units": 32, "dropout": 0.2, "epochs": epochs, "random_state": 0}
    plain = KerasDenseClassifier(**shared)
    focal = keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=32 / 33)
    tuned = TunedThresholdClassifierCV(plain, scoring="balanced_accuracy", cv=3, random_state=0)
    return {
        "plain": plain,
        "class_weight='balanced'": KerasDenseClassifier(class_weight="balanced", **shared),
        "focal loss": KerasDenseClassifier(loss=focal, **shared),
        "tuned threshold": tuned,
    }


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
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.8), layout="constrained")
    print(f"{'':24}{'recall':>8}{'precision':>11}{'balanced accuracy':>19}{'log-loss':>10}")
    for (name, model), ax in zip(make_models(options.epochs).items(), axes, strict=True):
        model.fit(X_train, y_train)
        predicted = model.predict(X_test)
        recall = recall_score(y_test, predicted)
        precision = precision_score(y_test, predicted, zero_division=0)
        balanced = balanced_accuracy_score(y_test, predicted)
        loss = log_loss(y_test, model.predict_proba(X_test))
        print(f"{name:24}{recall:8.3f}{precision:11.3f}{balanced:19.3f}{loss:10.3f}")
        look = {"display_labels": ["common", "rare"], "cmap": "Blues", "colorbar": False}
        ConfusionMatrixDisplay.from_predictions(y_test, predicted, **look, ax=ax)
        ax.set_title(f"{name}\n{recall:.0%} of the rare ones found")
    figure.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
