"""How wide, how deep, and with which activation?

Cross-validated accuracy on 8 x 8 digits: first for one hidden layer of 16 to 1,024 units, then
for up to six layers of sigmoid and of relu. More units help, less and less. Through many layers
of sigmoids the gradient fades away; relu keeps it up.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, ValidationCurveDisplay

from skdense import KerasDenseClassifier

WIDTHS = [2**power for power in range(4, 11)]
DEPTHS = [1, 2, 3, 4, 5, 6]
CURVE = {"cv": StratifiedKFold(3), "score_name": "accuracy", "std_display_style": "errorbar"}


def draw_widths(network: KerasDenseClassifier, X: np.ndarray, y: np.ndarray, ax: plt.Axes) -> None:
    """Draw the accuracy of one hidden layer, on rows trained on and on others."""
    display = ValidationCurveDisplay.from_estimator(
        network, X, y, param_name="units", param_range=WIDTHS, **CURVE, ax=ax
    )
    ax.set(title="One hidden layer", xlabel="units")
    ax.set_xscale("log", base=2)
    for units, scores in zip(WIDTHS, display.test_scores, strict=True):
        print(f"relu     1 x {units} units: {scores.mean():.3f}")


def draw_depths(network: KerasDenseClassifier, X: np.ndarray, y: np.ndarray, ax: plt.Axes) -> None:
    """Draw the accuracy of several layers, of relu and of sigmoid."""
    options = {"param_name": "depth", "param_range": DEPTHS, "score_type": "test", **CURVE}
    for activation in ("relu", "sigmoid"):
        network.set_params(units=64, activation=activation)
        display = ValidationCurveDisplay.from_estimator(network, X, y, **options, ax=ax)
        display.errorbar_[0].set_label(activation)
        for depth, scores in zip(DEPTHS, display.test_scores, strict=True):
            print(f"{activation:8} {depth} x 64 units: {scores.mean():.3f}")
    ax.legend()
    ax.set(title="Hidden layers of 64 units", xlabel="depth", ylabel="")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--picture", type=Path, default=Path("width_and_depth.png"))
    options = parser.parse_args(argv)

    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32) / 16
    network = KerasDenseClassifier(depth=1, epochs=options.epochs, random_state=0)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
    draw_widths(network, X, y, left)
    draw_depths(network, X, y, right)
    figure.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
