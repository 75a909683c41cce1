"""Why to hold out rows by ``validation_fraction`` rather than the last rows.

Early stopping watches rows that are not trained on. The penguins file is sorted by species, and
its last fifth, which Keras' ``validation_split=0.2`` takes, is all Chinstraps but for one Gentoo:
a network trained on the rest recognises no Chinstrap. ``validation_fraction=0.2`` draws a fifth
of each species. The script prints, for both, which species are trained on and held out, and the
recall of each species in a test set.

Then the same with rows of one's own choice, the penguins of the last year. They have to pass the
pipeline's steps before the network, which ``transform_input=["X_val"]`` sees to. Imputer and
scaler are then fitted without them.

All measurements together would make it too easy for early stopping to have anything to do; here
the network gets the length of the bill, the island and the sex.

Run ``python examples/penguins_early_stopping.py --help`` for the options.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import sklearn
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdense import KerasDenseClassifier

SEED = 0
HELD_OUT = 0.2
COLORS = {"Adelie": "#d95f02", "Gentoo": "#1b7f79", "Chinstrap": "#7b3fa0"}  # in the file's order
SPECIES = list(COLORS)
NUMBERS = ["bill_length_mm"]
TEXTS = ["island", "sex"]


class Way(NamedTuple):
    """A way to hold out rows of the training set, and the pipeline fitted to the others."""

    name: str
    is_held_out: np.ndarray
    model: Pipeline


def split() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a training set, sorted by species as the file is, and a test set."""
    penguins = load_penguins()
    train, test = train_test_split(
        penguins, test_size=0.2, stratify=penguins["species"], random_state=SEED
    )
    return train.sort_index(), test


def make_model(epochs: int, **options: object) -> Pipeline:
    """Return the whole way from raw columns to species."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")  # a missing sex is neither
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    settings = {"units": 32, "batch_size": 32, "metrics": ["accuracy"], "random_state": SEED}
    network = KerasDenseClassifier(epochs=epochs, **settings, **options)
    return Pipeline([("columns", columns), ("network", network)])


def watch(train: pd.DataFrame, is_held_out: np.ndarray, epochs: int) -> Pipeline:
    """Return a pipeline that watched given rows, prepared like those it was trained on."""
    rest, held_out = train[~is_held_out], train[is_held_out]
    model = make_model(epochs, early_stopping=True).set_params(transform_input=["X_val"])
    with sklearn.config_context(enable_metadata_routing=True):
        model[-1].set_fit_request(X_val=True, y_val=True)
        return model.fit(rest, rest["species"], X_val=held_out, y_val=held_out["species"])


def hold_out_last(train: pd.DataFrame, epochs: int) -> Way:
    """Train on all but the last fifth, which skdense refuses to watch."""
    is_held_out = np.arange(len(train)) >= int(len(train) * (1 - HELD_OUT))
    try:
        watch(train, is_held_out, epochs)
    except ValueError as error:
        print(f"Refused to watch the last rows: {error}\n")
    rest = train[~is_held_out]
    return Way("the last fifth", is_held_out, make_model(epochs).fit(rest, rest["species"]))


def hold_out_fraction(train: pd.DataFrame, epochs: int) -> Way:
    """Let the network draw the rows to watch."""
    model = make_model(epochs, early_stopping=True, validation_fraction=HELD_OUT)
    model.fit(train, train["species"])
    is_held_out = np.isin(np.arange(len(train)), model[-1].validation_indices_)
    return Way(f"validation_fraction={HELD_OUT}", is_held_out, model)


def hold_out_last_year(train: pd.DataFrame, epochs: int) -> Way:
    """Watch the penguins of the last year."""
    year = train["year"].max()
    is_held_out = (train["year"] == year).to_numpy()
    return Way(f"X_val: penguins of {year}", is_held_out, watch(train, is_held_out, epochs))


def recognised(way: Way, test: pd.DataFrame) -> dict[str, str]:
    """Count the penguins of each species in the test set that are taken for what they are."""
    counts = confusion_matrix(test["species"], way.model.predict(test), labels=SPECIES)
    hits, totals = counts.diagonal(), counts.sum(axis=1)
    return {n: f"{hit} of {all_}" for n, hit, all_ in zip(SPECIES, hits, totals, strict=True)}


def species_table(ways: list[Way], train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return which species are trained on, held out, and recognised."""
    rows = {}
    for way in ways:
        for part, chosen in ("trained on", ~way.is_held_out), ("held out", way.is_held_out):
            counts = train["species"][chosen].value_counts()
            rows[way.name, part] = counts.reindex(SPECIES, fill_value=0)
        rows[way.name, "recall in test set"] = recognised(way, test)
    return pd.DataFrame(rows, index=SPECIES).T


def show_training(way: Way, species: pd.Series) -> None:
    """Print how many species were trained on, and which epoch was best."""
    network = way.model[-1]
    accuracy = network.history_["val_accuracy"][network.best_epoch_ - 1]
    n_species = species[~way.is_held_out].nunique()
    print(f"{way.name}: trained on {n_species} of {len(SPECIES)} species")
    print(f"  best epoch {network.best_epoch_} of {network.n_iter_}, ", end="")
    print(f"with {accuracy:.1%} of the held-out rows right")


def draw_rows(ax: Axes, ways: list[Way], species: pd.Series, table: pd.DataFrame) -> None:
    """Draw every row in the order of the file: pale if trained on, full if held out."""
    colors = np.array([to_rgb(COLORS[name]) for name in species])
    pale = 1 - 0.25 * (1 - colors)
    image = [np.where(way.is_held_out[:, np.newaxis], colors, pale) for way in ways]
    ax.imshow(image, aspect="auto", interpolation="nearest")
    for row, way in enumerate(ways):
        ax.text(len(species) + 3, row, table.loc[way.name].iloc[-1]["Chinstrap"], va="center")
    for edge in np.arange(len(ways) + 1) - 0.5:
        ax.axhline(edge, color="white", linewidth=8)  # a gap sets the ways apart
    for name in SPECIES:
        middle = np.flatnonzero(species == name).mean()
        ax.text(middle, -0.6, name, color=COLORS[name], ha="center", fontweight="bold")
    ax.text(len(species) + 3, -0.6, "Chinstraps recognised\nin the test set")
    ax.set_yticks(range(len(ways)), [way.name for way in ways])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("Rows in the order of the file; dark: held out, pale: trained on", loc="left")


def draw_history(ax: Axes, way: Way) -> None:
    """Draw the losses by epoch, and mark the best epoch."""
    network = way.model[-1]
    epochs = range(1, network.n_iter_ + 1)
    best, val_loss = network.best_epoch_, network.history_["val_loss"]
    ax.plot(epochs, network.history_["loss"], color="0.65", label="loss, rows trained on")
    ax.plot(epochs, val_loss, color="black", label="val_loss, rows held out")
    ax.plot(best, val_loss[best - 1], "o", color="black")
    text = {"xytext": (0, 14), "textcoords": "offset points", "ha": "center"}
    ax.annotate(f"best epoch: {best} of {network.n_iter_}", (best, val_loss[best - 1]), **text)
    ax.set_title(way.name, loc="left", fontsize=10)
    ax.set_xlabel("epoch")
    ax.spines[["right", "top"]].set_visible(False)


def draw(ways: list[Way], species: pd.Series, table: pd.DataFrame) -> Figure:
    """Return the picture: the rows held out, and the losses of the watched trainings."""
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    title = "The last fifth of the penguins holds every Chinstrap; a stratified fifth, one in five"
    figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.3], hspace=0.06)
    draw_rows(top.subplots(), ways, species, table)
    axes = bottom.subplots(1, 2, sharex=True, sharey=True)
    for ax, way in zip(axes, ways[1:], strict=True):
        draw_history(ax, way)
    axes[0].set_ylabel("cross-entropy")
    axes[0].set_ylim(bottom=0)
    axes[0].legend(frameon=False)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Hold out rows of a file sorted by species.")
    parser.add_argument("--epochs", type=int, default=200, help="most epochs of each fit")
    parser.add_argument("--picture", type=Path, default=Path("penguins_early_stopping.png"))
    arguments = parser.parse_args(argv)

    train, test = split()
    functions = hold_out_last, hold_out_fraction, hold_out_last_year
    ways = [hold_out(train, arguments.epochs) for hold_out in functions]
    table = species_table(ways, train, test)
    print(f"Penguins by species, according to what is held out\n{table.to_string()}\n")
    for way in ways[1:]:
        show_training(way, train["species"])
    draw(ways, train["species"], table).savefig(arguments.picture, dpi=150)
    print(f"\nPicture: {arguments.picture}")


if __name__ == "__main__":
    main()
