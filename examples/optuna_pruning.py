"""How many epochs do networks get that have no hope?

Optuna chooses the width, depth, dropout and learning rate of network after network, and its pruner
stops one whose best loss on held-out rows is above the median of those that were trained to the
end, after as many epochs, once there are five. It hears of every epoch from `KerasPruningCallback`,
which the compiled training program calls, so that a trial that is pruned costs what it trained and
no more. The picture shows all trials.

With ``--storage sqlite:///trials.db`` the trials are kept on disk, and a second run goes on with
them. Needs Optuna, which ``pip install '.[examples]'`` brings.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import optuna
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, Trial, TrialState
from optuna_integration.keras import KerasPruningCallback
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdense import KerasDenseClassifier

SEED = 0


class Objective:
    """The loss on held-out rows of a network whose parameters a trial chooses."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        X, y = load_digits(return_X_y=True)
        split = train_test_split(X / 16, y, test_size=0.2, stratify=y, random_state=SEED)
        self.X, self.X_test, self.y, self.y_test = split

    def make_network(self, trial: Trial | FrozenTrial) -> KerasDenseClassifier:
        """Return a network as the trial has it, not fitted."""
        return KerasDenseClassifier(
            units=trial.suggest_categorical("units", [16, 32, 64, 128]),
            depth=trial.suggest_int("depth", 1, 3),
            dropout=trial.suggest_float("dropout", 0.0, 0.5),
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
            epochs=self.epochs,
            random_state=SEED,
        )

    def __call__(self, trial: Trial) -> float:
        """Train a network, unless the trial is pruned meanwhile, and return its last loss."""
        network = self.make_network(trial)
        network.set_params(
            validation_fraction=0.25, callbacks=[KerasPruningCallback(trial, "val_loss")]
        )
        network.fit(self.X, self.y)
        return network.history_["val_loss"][-1]


def search(objective: Objective, trials: int, storage: str | None) -> optuna.Study:
    """Run some trials, after those that are in the storage."""
    study = optuna.create_study(
        study_name="digits",
        storage=storage,
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=SEED),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
    )
    study.optimize(objective, n_trials=trials)
    return study


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that were pruned or trained to the end: not those that failed."""
    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))


def draw(study: optuna.Study) -> Figure:
    """Return the picture: the loss of every trial by epoch."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.subplots()
    for trial in ended(study):
        losses = list(trial.intermediate_values.values())
        epochs = range(1, len(losses) + 1)
        if trial.number == study.best_trial.number:
            ax.plot(epochs, losses, color="#00204d", linewidth=2.5, zorder=3, label="the best")
        elif trial.state == TrialState.PRUNED:
            ax.plot(epochs, losses, color="#c4561e", linewidth=1, alpha=0.6)
            ax.plot(epochs[-1], losses[-1], "x", color="#c4561e", label="pruned")
        else:
            ax.plot(epochs, losses, color="0.7", linewidth=1, label="trained to the end")
    ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_title("Loss on held-out rows, by trial", loc="left")
    ax.spines[["right", "top"]].set_visible(False)
    labels = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(labels.values(), labels.keys(), frameon=False)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=30, help="of each, unless it is pruned")
    parser.add_argument(
        "--storage",
        help="where the trials are kept, like sqlite:///trials.db; all of as many epochs",
    )
    parser.add_argument("--picture", type=Path, default=Path("optuna_pruning.png"))
    options = parser.parse_args(argv)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    objective = Objective(options.epochs)
    study = search(objective, options.trials, options.storage)

    found = ended(study)
    pruned = sum(trial.state == TrialState.PRUNED for trial in found)
    epochs = sum(len(trial.intermediate_values) for trial in found)
    print(f"{len(found)} trials, {pruned} of them pruned")
    print(f"{epochs} epochs, of {len(found) * options.epochs} without a pruner")
    print("Best:", ", ".join(f"{name}={value:.3g}" for name, value in study.best_params.items()))
    network = objective.make_network(study.best_trial).fit(objective.X, objective.y)
    print(f"Test accuracy: {network.score(objective.X_test, objective.y_test):.3f}")
    draw(study).savefig(options.picture, dpi=150)
    print(f"Picture: {options.picture}")


if __name__ == "__main__":
    main()
