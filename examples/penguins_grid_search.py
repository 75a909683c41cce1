"""Search 48 networks for the Palmer penguins, as for any other scikit-learn estimator.

First, why not Keras' own ``validation_split``: the penguins file is sorted by species, and
``validation_split=0.2`` takes the *last* rows, before any shuffling. These are all 68
Chinstraps and one Gentoo, so the network never sees a Chinstrap in training, and what it is
validated on is nearly all Chinstraps. The script prints the counts, and how many Chinstraps
a network trained on such rows recognises, next to those of a stratified split.

Then the search: a stratified split; a pipeline that imputes, scales and encodes, so that
nothing of a validation fold leaks into its training; and ``GridSearchCV`` over width, depth,
activation and learning rate, whose fits train together; with ``--compare`` it runs once more, one
fit after the other, and tells what that saved. It ends with a picture of all 48 results. One
penguin is 0.4 % of the training rows and there is one seed only, so small differences between
candidates are luck.

Run ``python examples/penguins_grid_search.py --help`` for the options.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from joblib import parallel_config
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdense import KerasDenseClassifier

SEED = 0
FOLDS = 5
SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year"]
TEXTS = ["island", "sex"]
GRID = {
    "network__units": [8, 16, 32],
    "network__depth": [1, 2],
    "network__activation": ["relu", "tanh"],
    "network__learning_rate": [0.0003, 0.001, 0.003, 0.01],
}


def load_data() -> tuple[pd.DataFrame, pd.Series]:
    """Return features, with their missing values, and species."""
    penguins = load_penguins()
    return penguins[NUMBERS + TEXTS], penguins["species"]


def make_model(epochs: int) -> Pipeline:
    """Return the whole way from raw columns to species."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    network = KerasDenseClassifier(epochs=epochs, batch_size=32, random_state=SEED)
    return Pipeline([("columns", columns), ("network", network)])


def split(X: pd.DataFrame, y: pd.Series) -> list[Any]:
    """Return X_train, X_test, y_train and y_test, with every species in proportion."""
    return train_test_split(X, y, test_size=0.2, stratify=y, random_state=SEED)


def count_species(y: pd.Series) -> dict[str, int]:
    """Count the rows of each species, those with none included."""
    return {species: int((y == species).sum()) for species in SPECIES}


def chinstraps_recognised(model: Pipeline, X: pd.DataFrame, y: pd.Series) -> str:
    """Count the Chinstraps that a fitted model calls Chinstraps."""
    chinstraps = X[y == "Chinstrap"]
    return f"{(model.predict(chinstraps) == 'Chinstrap').sum()} of {len(chinstraps)}"


def show_split_trap(X: pd.DataFrame, y: pd.Series, epochs: int) -> None:
    """Print what Keras' validation_split would train and validate on, and a stratified split."""
    edge = int(len(X) * 0.8)  # where validation_split=0.2 cuts
    in_order = [X[:edge], X[edge:], y[:edge], y[edge:]]
    rows = {}
    for first, last, (X_train, X_test, y_train, y_test) in [
        ("first 80 %, to train", "last 20 %, to validate", in_order),
        ("stratified 80 %, to train", "stratified 20 %, to test", split(X, y)),
    ]:
        model = make_model(epochs).fit(X_train, y_train)
        recognised = chinstraps_recognised(model, X_test, y_test)
        rows[first] = {**count_species(y_train), "Chinstraps recognised": ""}
        rows[last] = {**count_species(y_test), "Chinstraps recognised": recognised}
    print("Rows of each species: Keras' validation_split=0.2, and a stratified split")
    print(pd.DataFrame.from_dict(rows, orient="index").to_string(), end="\n\n")


def show_progress(search: GridSearchCV) -> None:
    """Have the search show a progress bar, where scikit-learn has one: from its release 1.9."""
    try:
        from sklearn.callback import ProgressBar

        bar = ProgressBar(max_propagation_depth=0)  # one for all of the fits
    except ImportError:
        return
    search.set_callbacks(bar)


def run_search(
    X: pd.DataFrame, y: pd.Series, epochs: int, backend: str
) -> tuple[GridSearchCV, float]:
    """Return the fitted search, and the seconds that it took."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    search = GridSearchCV(make_model(epochs), GRID, cv=folds)
    show_progress(search)
    start = perf_counter()
    with parallel_config(backend=backend, n_jobs=-1):
        search.fit(X, y)
    return search, perf_counter() - start


def show_time(search: GridSearchCV, seconds: float) -> None:
    """Print how long a search took."""
    candidates = len(search.cv_results_["params"])
    fits = candidates * FOLDS + 1  # the best is fitted once more, on all rows
    print(f"Searched {candidates} candidates x {FOLDS} folds, and fitted the best on all rows")
    print(f"Time of the search: {seconds:.1f} s, {fits / seconds:.1f} fits per second")


def results_table(search: GridSearchCV) -> pd.DataFrame:
    """Return one row per candidate: its parameters, and its accuracy in per cent."""
    table = pd.DataFrame(search.cv_results_["params"])
    table.columns = table.columns.str.removeprefix("network__")
    return table.assign(accuracy=100 * search.cv_results_["mean_test_score"])


def describe(parameters: dict) -> str:
    """Write a candidate's parameters in one line."""
    return ", ".join(f"{key.removeprefix('network__')}={parameters[key]}" for key in GRID)


def show_result(search: GridSearchCV, confusion: pd.DataFrame) -> None:
    """Print the best candidate, its accuracies and its confusion matrix."""
    accuracy = search.cv_results_["mean_test_score"]
    std = search.cv_results_["std_test_score"][search.best_index_]
    close = np.sum(accuracy >= search.best_score_ - 0.01)
    total = confusion.to_numpy().sum()
    hits = np.trace(confusion)
    print(f"Best parameters: {describe(search.best_params_)}")
    print(f"Cross-validated accuracy: {search.best_score_:.3f} (std over folds {std:.3f})")
    # The best of many flatters itself, all the more where so many are nearly as good.
    print(f"Candidates within 0.01 of it, itself included: {close} of {len(accuracy)}")
    print(f"Test accuracy: {hits / total:.3f} ({hits} of {total})\n")
    print("Confusion matrix of the test set")
    print(confusion.rename_axis(index="true", columns="predicted").to_string())


def averages(results: pd.DataFrame) -> list[pd.Series]:
    """Return, for each parameter, the mean accuracy by its values; the strongest comes first."""
    names = [key.removeprefix("network__") for key in GRID]
    means = [results.groupby(name)["accuracy"].mean() for name in names]
    return sorted(means, key=lambda mean: mean.min() - mean.max())


def finding(strongest: pd.Series) -> str:
    """Say which parameter moves the mean accuracy most, and by how much."""
    return (
        f"The {strongest.name} matters most: on average {strongest.min():.1f} % are right at "
        f"{strongest.idxmin()}, {strongest.max():.1f} % at {strongest.idxmax()}"
    )


def draw_cells(ax: Axes, table: pd.DataFrame, norm: Normalize, cmap: str, form: str) -> None:
    """Draw a table as coloured cells with their values."""
    image = ax.imshow(table, norm=norm, cmap=cmap, aspect="auto")
    ax.set_xticks(range(table.shape[1]), table.columns)
    ax.set_yticks(range(table.shape[0]), table.index)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    for edge in np.arange(1, table.shape[1]) - 0.5:
        ax.axvline(edge, color="white", linewidth=1.5)
    for edge in np.arange(1, table.shape[0]) - 0.5:
        ax.axhline(edge, color="white", linewidth=1.5)
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        lightness = np.dot(image.to_rgba(value)[:3], [0.299, 0.587, 0.114])
        color = "white" if lightness < 0.5 else "black"
        ax.text(column, row, form.format(value), ha="center", va="center", color=color)


def outline(ax: Axes, row: int, column: int) -> None:
    """Draw a frame just inside a cell."""
    corner = (column - 0.45, row - 0.45)
    ax.add_patch(Rectangle(corner, 0.9, 0.9, fill=False, edgecolor="black", linewidth=2.5))


def draw_search(figure: SubFigure, results: pd.DataFrame, best: pd.Series) -> None:
    """Draw accuracy by units and learning rate, one panel per depth and activation."""
    depths, activations = GRID["network__depth"], GRID["network__activation"]
    axes = figure.subplots(len(depths), len(activations), sharex=True, sharey=True)
    norm = Normalize(np.floor(results["accuracy"].min()), 100)
    for (depth, activation), panel in results.groupby(["depth", "activation"]):
        ax = axes[depths.index(depth), activations.index(activation)]
        table = panel.pivot(index="units", columns="learning_rate", values="accuracy")
        draw_cells(ax, table, norm, "cividis", "{:.1f}")
        layers = "1 hidden layer" if depth == 1 else f"{depth} hidden layers"
        ax.set_title(f"{layers}, {activation}", loc="left", fontsize=10)
        if best.name in panel.index:
            outline(ax, table.index.get_loc(best.units), table.columns.get_loc(best.learning_rate))
    for ax in axes[-1]:
        ax.set_xlabel("learning rate")
    for ax in axes[:, 0]:
        ax.set_ylabel("units per layer")
    figure.colorbar(axes[0, 0].images[0], ax=axes, aspect=40, pad=0.02)


def draw_averages(ax: Axes, means: list[pd.Series]) -> None:
    """Draw the mean accuracy at each value of each parameter."""
    rows, labels, start = [], [], 0.0
    for mean in means:
        positions = start + np.arange(len(mean))
        ax.plot(mean, positions, "o-", color="#00204d", markersize=5, linewidth=1)
        rows += [*positions]
        labels += [f"{mean.name} {value}" for value in mean.index]
        start += len(mean) + 0.6  # a gap sets the parameters apart
    ax.set_yticks(rows, labels)
    ax.invert_yaxis()
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.set_title("Average by parameter, %", loc="left", fontsize=10)


def draw_confusion(ax: Axes, confusion: pd.DataFrame) -> None:
    """Draw the confusion matrix of the test set."""
    counts = confusion.to_numpy()
    # Twice the largest count as the scale's end keeps the cells light under their numbers.
    draw_cells(ax, confusion, Normalize(0, 2 * counts.max()), "Greys", "{}")
    right = f"{np.trace(counts)} of {counts.sum()} right"
    ax.set_title(f"The chosen one, test set: {right}", loc="left", fontsize=10)
    ax.set_xlabel("predicted species")
    ax.set_ylabel("true species")


def draw(search: GridSearchCV, confusion: pd.DataFrame) -> Figure:
    """Return the picture: all candidates, averages, and the test set's confusion matrix."""
    results = results_table(search)
    means = [mean.rename(mean.index.name.replace("_", " ")) for mean in averages(results)]
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    figure.suptitle(finding(means[0]), x=0.01, ha="left", fontsize=14, fontweight="bold")
    left, right = figure.subfigures(1, 2, width_ratios=[1.7, 1], wspace=0.03)
    epochs = search.estimator.get_params()["network__epochs"]
    caption = f"Accuracy over {FOLDS} folds after {epochs} epochs, % (outlined: the chosen one)"
    left.suptitle(caption, x=0.015, ha="left", fontsize=11)
    draw_search(left, results, results.loc[search.best_index_])
    top, bottom = right.subplots(2, 1)
    draw_averages(top, means)
    draw_confusion(bottom, confusion)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Search 48 networks for the Palmer penguins.")
    parser.add_argument("--epochs", type=int, default=50, help="epochs of each fit")
    parser.add_argument(
        "--backend",
        default="skdense",
        help="of joblib: skdense trains fits together, loky each in one of several processes",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="search once more, one fit after the other, and tell what the backend saved",
    )
    parser.add_argument("--picture", type=Path, default=Path("penguins_grid_search.png"))
    arguments = parser.parse_args(argv)

    X, y = load_data()
    show_split_trap(X, y, arguments.epochs)
    X_train, X_test, y_train, y_test = split(X, y)
    search, seconds = run_search(X_train, y_train, arguments.epochs, arguments.backend)
    show_time(search, seconds)
    if arguments.compare:
        _, alone = run_search(X_train, y_train, arguments.epochs, "sequential")
        print(f"One fit after the other: {alone:.1f} s, so that it saved {alone - seconds:.1f} s")
    print()
    counts = confusion_matrix(y_test, search.predict(X_test), labels=SPECIES)
    confusion = pd.DataFrame(counts, index=SPECIES, columns=SPECIES)
    show_result(search, confusion)
    draw(search, confusion).savefig(arguments.picture, dpi=150)
    print(f"\nPicture: {arguments.picture}")


if __name__ == "__main__":
    main()
