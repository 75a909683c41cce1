"""How to watch and compare trainings in TensorBoard?

Keras' own callback writes the logs, and TensorBoard draws them side by side. Each run of the
script, and each training in it, has a folder of its own. The script reads them back, to show what
is in there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import keras
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from skdense import KerasDenseClassifier

LEARNING_RATES = [0.0003, 0.001, 0.003, 0.01]


def logged(folder: Path, tag: str) -> list[float]:
    """Read the values of each epoch back from a log."""
    events = EventAccumulator(str(folder), size_guidance={TENSORS: 0}).Reload()
    return [float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--logs", type=Path, default=Path("logs"))
    parser.add_argument("--picture", type=Path, default=Path("tensorboard_logs.png"))
    options = parser.parse_args(argv)

    X, y = load_digits(return_X_y=True)
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    run = options.logs / f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    for learning_rate in LEARNING_RATES:
        folder = run / f"learning_rate_{learning_rate}"
        KerasDenseClassifier(
            units=32,
            learning_rate=learning_rate,
            epochs=options.epochs,
            validation_fraction=0.2,
            callbacks=[keras.callbacks.TensorBoard(folder)],
            random_state=0,
        ).fit(X / 16, y)
        losses = logged(folder / "validation", "epoch_loss")
        print(f"learning rate {learning_rate}: validation loss {losses[-1]:.3f} in {folder}")
        ax.plot(range(1, len(losses) + 1), losses, label=f"{learning_rate}")
    ax.set(xlabel="epoch", ylabel="validation loss", yscale="log")
    ax.legend(title="learning rate", frameon=False)
    figure.savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}. To see more: tensorboard --logdir {options.logs}")


if __name__ == "__main__":
    main()
