"""Can one network answer several questions at once?

Of a handwritten digit: is it even, is it a prime, does it have a loop? Each question is a column
of y, and each answer has a probability of its own; the layers before are shared.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay, f1_score, multilabel_confusion_matrix
from sklearn.model_selection import train_test_split

from skdense import KerasDenseClassifier

QUESTIONS = {"even": [0, 2, 4, 6, 8], "prime": [2, 3, 5, 7], "loop": [0, 6, 8, 9]}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--picture", type=Path, default=Path("multilabel.png"))
    options = parser.parse_args(argv)

    X, digits = load_digits(return_X_y=True)
    y = np.column_stack([np.isin(digits, yes) for yes in QUESTIONS.values()]).astype(int)
    X_train, X_test, y_train, y_test, _, digits_test = train_test_split(
        X / 16, y, digits, random_state=0
    )
    network = KerasDenseClassifier(units=64, epochs=options.epochs, random_state=0)
    predicted = network.fit(X_train, y_train).predict(X_test)
    scores = f1_score(y_test, predicted, average=None, zero_division=0)

    print(f"All three answers right: {network.score(X_test, y_test):.1%} of the digits")
    print(f"The first test image, a {digits_test[0]}:")
    for question, probability in zip(QUESTIONS, network.predict_proba(X_test)[0], strict=True):
        print(f"  {question:5} {probability:6.1%}")

    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
    matrices = multilabel_confusion_matrix(y_test, predicted)
    for question, matrix, score, ax in zip(QUESTIONS, matrices, scores, axes, strict=True):
        display = ConfusionMatrixDisplay(matrix, display_labels=["no", "yes"])
        display.plot(cmap="Blues", colorbar=False, ax=ax)
        ax.set_title(f"{question}: F1 {score:.3f}")
    figure.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
