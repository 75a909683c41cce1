"""Draw the site's charts from the figures in ``figures/``: ``python docs/pictures.py``.

``quality.json`` is what ``benchmarks/quality.py --json`` wrote, its losses and times alone;
``searches.json`` is of a run of ``benchmarks/grid_search.py``. Each says where it is from.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from scipy.stats import rankdata

DOCS = Path(__file__).parent
OURS, OTHERS = "#b2361c", "#1b6f79"  # apart for the colour-blind, and in print
# Who is in the chart of quality, by name in the figures. Forests and RealMLP were given the columns
# with categories, "typed", and as a matrix; here they are by the way that ranks better.
SHOWN = (
    "KerasTabular",
    "CatBoost, typed",
    "HistGradientBoosting",
    "RealMLP",
    "KerasDense",
    "MLP",
    "MLP 256-256, stopping",
)


def read(name: str) -> dict[str, Any]:
    """Return figures by their file's name."""
    figures: dict[str, Any] = json.loads((DOCS / "figures" / f"{name}.json").read_text())
    return figures


def color_of(name: str) -> str:
    """Return the colour of an estimator."""
    return OURS if name.startswith(("Keras", "skdense")) else OTHERS


def ranks_and_seconds(figures: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return of each estimator its mean rank, and the mean seconds of a fit."""
    tables = list(figures["loss"])
    losses = [[figures["loss"][table][name] for name in SHOWN] for table in tables]
    ranks = np.mean([rankdata(row) for row in losses], axis=0)
    seconds = [mean(figures["seconds"][table][name] for table in tables) for name in SHOWN]
    names = [name.removesuffix(", typed") for name in SHOWN]
    return dict(zip(names, zip(ranks, seconds, strict=True), strict=True))


def draw_quality(ax: Axes, figures: dict[str, Any]) -> None:
    """Draw a point for each estimator: the better, the higher; the faster, the further left."""
    for name, (rank, seconds) in ranks_and_seconds(figures).items():
        ax.plot(seconds, rank, "o", markersize=9, color=color_of(name))
        place = {"xytext": (9, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(name, (seconds, rank), color=color_of(name), **place)
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="mean seconds of a fit, at most 12,000 rows, two processors")
    ax.set(ylabel="mean rank by the loss\n(1 is the best)")
    ax.set_xlim(right=ax.get_xlim()[1] * 2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_title(f"Untuned on {len(figures['loss'])} real tables", loc="left")


def draw_searches(ax: Axes, figures: dict[str, Any]) -> None:
    """Draw a bar for each way to search."""
    seconds = dict(reversed(figures["seconds"].items()))
    bars = ax.barh(list(seconds), list(seconds.values()), color=[color_of(n) for n in seconds])
    ax.bar_label(bars, [f"{value:g} s" for value in seconds.values()], padding=4)
    ax.set(xlabel="seconds, two processors", xlim=(0, max(seconds.values()) * 1.1))
    ax.set_title("Grid search of the penguins: 48 networks on 5 folds", loc="left")


def main() -> None:
    """Draw both."""
    for name, draw, height in (("quality", draw_quality, 4.2), ("searches", draw_searches, 2.6)):
        figure, ax = plt.subplots(figsize=(8, height), layout="constrained")
        draw(ax, read(name))
        ax.spines[["top", "right"]].set_visible(False)
        figure.savefig(DOCS / "pictures" / f"{name}.png", dpi=150)


if __name__ == "__main__":
    main()
