"""Does it help to go on with a smaller learning rate?

With ``warm_start=True`` a further `fit` goes on where the last one stopped. One network trains at
0.1 all along, one at 0.1, then 0.01, then 0.001: the large rate gets near the optimum fast but
jumps about it, all the more as one label in ten is wrong, and the smaller ones settle down.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from skdense import KerasDenseClassifier, TrainingHistoryDisplay

SCHEDULES = {
    "0.1 all along": (0.1, 0.1, 0.1),
    "0.1, then 0.01, then 0.001": (0.1, 0.01, 0.001),
}


def train(
    learning_rates: Sequence[float], epochs: int, X: np.ndarray, y: np.ndarray
) -> KerasDenseClassifier:
    """Train for some epochs at each learning rate, going on from one to the next."""
    network = KerasDenseClassifier(
        units=32,
        dropout=0.3,
        optimizer="sgd",
        batch_size=8,
        epochs=epochs,
        warm_start=True,
        validation_fraction=0.25,
        metrics=["accuracy"],
        random_state=0,
    )
    for learning_rate in learning_rates:
        network.set_params(learning_rate=learning_rate).fit(X, y)
    return network


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=10, help="at each learning rate")
    parser.add_argument("--picture", type=Path, default=Path("continue_training.png"))
    options = parser.parse_args(argv)

    X, y = make_classification(
        2_000, 20, n_informative=10, n_classes=4, class_sep=1.5, flip_y=0.1, random_state=0
    )
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    networks = {}
    for name, learning_rates in SCHEDULES.items():
        networks[name] = network = train(learning_rates, options.epochs, X_train, y_train)
        print(f"{name:28} {network.n_iter_} epochs, test accuracy ", end="")
        print(f"{network.score(X_test, y_test):.3f}")

    display = TrainingHistoryDisplay.from_estimators(networks)
    for panel in display.axes_:
        for part in (1, 2):
            panel.axvline(options.epochs * part + 0.5, color="0.8", linewidth=1, zorder=0)
    display.figure_.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
