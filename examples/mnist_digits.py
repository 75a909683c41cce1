"""Which handwritten digits does a network read wrong, and how sure is it of them?

Trains on MNIST, and shows the most confident mistakes among the 10,000 test images: many of them a
person would not read either.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from _images import load_images
from sklearn.metrics import classification_report

from skdense import ErrorAnalysisDisplay, KerasDenseClassifier


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of MNIST's .gz files; else Keras' copy")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--picture", type=Path, default=Path("mnist_digits.png"))
    options = parser.parse_args(argv)

    X_train, y_train, X_test, y_test = load_images("mnist", options.data)
    network = KerasDenseClassifier(
        units=(256, 128),
        dropout=(0.4, 0.3),
        optimizer="rmsprop",
        batch_size=128,
        epochs=options.epochs,
        random_state=0,
    )
    start = perf_counter()
    network.fit(X_train, y_train)
    print(f"Trained for {perf_counter() - start:.0f} s on {len(X_train):,} images")
    print(classification_report(y_test, network.predict(X_test), digits=3, zero_division=0))

    display = ErrorAnalysisDisplay.from_estimator(
        network, X_test, y_test, image_shape=(28, 28), n_samples=20
    )
    display.figure_.savefig(options.picture, dpi=150)
    print(f"{len(display.wrong_indices)} mistakes. Picture: {options.picture}")


if __name__ == "__main__":
    main()
