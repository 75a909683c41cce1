"""When is a network at its best, and how to keep that epoch?

Two networks learn Fashion-MNIST, one with dropout, while a fifth of the rows is watched. The
loss on these falls and then rises again: `early_stopping` keeps the best epoch in the estimator,
and Keras' own ``ModelCheckpoint`` writes it to a file, from which the same estimator comes back.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from _images import load_images

from skdense import ErrorAnalysisDisplay, KerasDenseClassifier, TrainingHistoryDisplay

CLOTHES = ["T-shirt", "trousers", "pullover", "dress", "coat"]
CLOTHES += ["sandal", "shirt", "sneaker", "bag", "boot"]


def make_network(epochs: int, dropout: float, checkpoint: Path) -> KerasDenseClassifier:
    """Return a network that trains all epochs, keeps the best one, and writes it to a file."""
    best_epoch = keras.callbacks.ModelCheckpoint(
        checkpoint, monitor="val_loss", save_best_only=True
    )
    return KerasDenseClassifier(
        units=100,
        depth=1,
        dropout=dropout,
        batch_size=32,
        epochs=epochs,
        early_stopping=True,
        patience=epochs,  # stops no training: the picture is to show what comes after the best
        validation_fraction=0.2,
        metrics=["accuracy"],
        callbacks=[best_epoch],
        random_state=0,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the .gz files; else Keras' copy")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--folder", type=Path, default=Path(), help="for pictures and checkpoints")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)

    X_train, y_train, X_test, y_test = load_images("fashion_mnist", options.data)
    networks = {}
    for dropout in (0.0, 0.3):
        checkpoint = options.folder / f"fashion_mnist_dropout_{dropout}.keras"
        network = make_network(options.epochs, dropout, checkpoint).fit(X_train, y_train)
        networks[f"dropout {dropout}"] = network
        best = network.best_epoch_
        print(f"dropout {dropout}: best epoch {best} of {network.n_iter_}, ", end="")
        print(f"validation accuracy {network.history_['val_accuracy'][best - 1]:.4f}, ", end="")
        print(f"test accuracy {network.score(X_test, y_test):.4f}")

    saved = KerasDenseClassifier.from_keras(keras.saving.load_model(checkpoint))
    difference = np.abs(saved.predict_proba(X_test) - network.predict_proba(X_test)).max()
    print(f"{checkpoint.name} predicts the same, to {difference:.0e}")

    history = TrainingHistoryDisplay.from_estimators(networks)
    history.figure_.savefig(options.folder / "fashion_mnist_history.png", dpi=150)
    errors = ErrorAnalysisDisplay.from_estimator(
        network, X_test, y_test, image_shape=(28, 28), display_labels=CLOTHES
    )
    errors.figure_.savefig(options.folder / "fashion_mnist_errors.png", dpi=150)
    print("Pictures: fashion_mnist_history.png, fashion_mnist_errors.png")


if __name__ == "__main__":
    main()
