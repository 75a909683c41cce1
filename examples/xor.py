"""What does a hidden layer bring? XOR, which no straight line can solve.

Two sigmoid units bend the plane, and the regions of the two classes are drawn. Two such units are
the fewest that do, so that some starts end in a local minimum, where two of the four points stay
undecided: the script tries seeds until one gets all four right.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.inspection import DecisionBoundaryDisplay

from skdense import KerasDenseClassifier, TrainingHistoryDisplay

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y = np.array([0, 1, 1, 0])
MOST_SEEDS = 20


def train(epochs: int, seed: int) -> KerasDenseClassifier:
    """Return a network of 2 sigmoid, 4 linear and 2 softmax units."""
    network = KerasDenseClassifier(
        units=(2, 4),
        activation=("sigmoid", "linear"),
        output_activation="softmax",
        optimizer="rmsprop",
        batch_size=4,
        epochs=epochs,
        metrics=["accuracy"],
        random_state=seed,
    )
    return network.fit(X, Y)


def first_epoch_all_right(network: KerasDenseClassifier) -> int | None:
    """Return the first epoch of accuracy 1.0, which Keras measures before the epoch's step."""
    right = np.flatnonzero(np.equal(network.history_["accuracy"], 1))
    return int(right[0]) + 1 if len(right) else None


def draw(network: KerasDenseClassifier, epoch: int) -> plt.Figure:
    """Draw the probability of class 1 over the plane, and how the training went."""
    figure, (left, right) = plt.subplots(
        1, 2, width_ratios=[1, 2], figsize=(12, 4), layout="constrained"
    )
    DecisionBoundaryDisplay.from_estimator(
        network,
        X,
        response_method="predict_proba",
        plot_method="pcolormesh",
        class_of_interest=1,
        eps=0.5,
        grid_resolution=300,
        cmap="RdBu_r",
        vmin=0,
        vmax=1,
        ax=left,
    )
    left.scatter(*X.T, c=Y, cmap="RdBu_r", edgecolors="white", s=120, linewidths=2)
    left.set(title="probability of class 1", xticks=[0, 1], yticks=[0, 1], aspect="equal")
    history = TrainingHistoryDisplay.from_estimator(network, name="XOR", ax=right)
    for panel in history.axes_:
        panel.axvline(epoch, color="0.6", linewidth=1)
    history.axes_[1].annotate(
        f"first 1.0: epoch {epoch:,}", (epoch, 0.5), xytext=(6, 0), textcoords="offset points"
    )
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=4_000)
    parser.add_argument("--picture", type=Path, default=Path("xor.png"))
    options = parser.parse_args(argv)

    for seed in range(MOST_SEEDS):
        network = train(options.epochs, seed)
        epoch = first_epoch_all_right(network)
        print(f"seed {seed}: ", end="")
        if epoch is not None:
            break
        print(f"{network.score(X, Y):.0%} right after {options.epochs:,} epochs")
    else:
        print("no seed got there: more epochs may help")
        return
    print(f"accuracy 1.0 for the first time at epoch {epoch:,}")
    draw(network, epoch).savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
