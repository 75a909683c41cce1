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


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--picture", type=Path, default=Path("width_and_depth.png"))
    options = parser.parse_args(argv)

    X, y = load_digits(return_X_y=True)
    data = X.astype(np.float32) / 16, y
    network = KerasDenseClassifier(depth=1, epochs=options.epochs, random_state=0)
    curve = {"cv": StratifiedKFold(3), "score_name": "accuracy", "std_display_style": "errorbar"}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
    width = ValidationCurveDisplay.from_estimator(
        network, *data, param_name="units", param_range=WIDTHS, **curve, ax=left
    )
    left.set(title="One hidden layer", xlabel="units")
    left.set_xscale("log", base=2)
    for activation in ("relu", "sigmoid"):
        deep = ValidationCurveDisplay.from_estimator(
            network.set_params(units=64, activation=activation),
            *data,
            param_name="depth",
            param_range=DEPTHS,
            score_type="test",
            **curve,
            ax=right,
        )
        deep.errorbar_[0].set_label(activation)
        for depth, scores in zip(DEPTHS, deep.test_scores, strict=True):
            print(f"{activation:8} {depth} x 64 units: {scores.mean():.3f}")
    right.legend()
    right.set(title="Hidden layers of 64 units", xlabel="depth", ylabel="")
    for units, scores in zip(WIDTHS, width.test_scores, strict=True):
        print(f"relu     1 x {units} units: {scores.mean():.3f}")
    figure.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
