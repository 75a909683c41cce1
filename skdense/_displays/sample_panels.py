"""Groups of samples as pictures: a grid of images, or a table of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .panels import grid_in

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Array = NDArray[Any]

# Inches.
_IMAGE_WIDTH, _IMAGE_HEIGHT = 1.3, 1.65  # with its caption
_LINE_HEIGHT, _CHARACTER_WIDTH = 0.28, 0.075
_TITLE_HEIGHT = 0.4

_FONT_SIZE = 9  # points, for which the inches above are
_HEADER = ["true", "predicted", "probability"]
_LONGEST_TEXT = 30  # characters
_MOST_SHADE = 0.45  # of the colour map's half, so that text stays readable


@dataclass(frozen=True)
class Group:
    """Samples to be shown together.

    Attributes
    ----------
    title : str
    color : str
        Of the predicted labels.
    shows_truth : bool
        Whether images say the true label too.
    y_true, y_pred : list of str
    probability : ndarray of shape (n_samples,)
    """

    title: str
    color: str
    shows_truth: bool
    y_true: list[str]
    y_pred: list[str]
    probability: Array


def draw_images(
    ax: Axes | None, caller: str, groups: Sequence[Group], images: Sequence[Array], cmap: Any
) -> tuple[Figure | SubFigure, list[Axes]]:
    """Draw images of shape (n_samples, height, width) or (n_samples, height, width, channels).

    Values from their lowest to their highest are drawn from one end of the colour map, or of
    each channel, to the other.
    """
    most = max(map(len, images))
    n_columns = max(5, min(10, -(-most // 2)))
    n_rows = [-(-len(own) // n_columns) for own in images]
    heights: list[float] = []
    for rows in n_rows:
        heights += [_TITLE_HEIGHT, *[_IMAGE_HEIGHT] * rows]
    size = _IMAGE_WIDTH * n_columns, sum(heights)
    shape = {"nrows": len(heights), "ncols": n_columns, "height_ratios": heights}
    figure, grid = grid_in(ax, caller, size, **shape)
    low, high = _range(images)
    axes, row = [], 0
    for group, own, rows in zip(groups, images, n_rows, strict=True):
        _write_title(figure.add_subplot(grid[row, :]), group.title)
        for number, image in enumerate(own):
            place = grid[row + 1 + number // n_columns, number % n_columns]
            axes.append(figure.add_subplot(place))
            shares = np.clip((image - low) / (high - low), 0, 1)  # an infinite one is at the end
            axes[-1].imshow(shares, cmap=cmap, vmin=0, vmax=1)
            _write_caption(axes[-1], group, number)
        row += 1 + rows
    return figure, axes


def _range(images: Sequence[Array]) -> tuple[float, float]:
    values = np.concatenate([own.ravel() for own in images])
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return low, high if high > low else low + 1


def _write_caption(panel: Axes, group: Group, number: int) -> None:
    caption = f"{group.y_pred[number]}, {group.probability[number]:.1%}"
    if group.shows_truth:
        caption += f"\ntrue: {group.y_true[number]}"
    panel.set(xticks=[], yticks=[], anchor="N")
    # Dollars in labels are no formulas.
    panel.set_xlabel(caption, color=group.color, fontsize=_FONT_SIZE, parse_math=False)


def _write_title(panel: Axes, title: str) -> None:
    panel.set_axis_off()
    panel.text(0, 0.5, title, va="center", fontsize=11, fontweight="bold")


def draw_tables(
    ax: Axes | None,
    caller: str,
    groups: Sequence[Group],
    tables: Sequence[pd.DataFrame],
    deviations: Sequence[Array],
) -> tuple[Figure | SubFigure, list[Axes]]:
    """Draw features as tables, numbers shaded by how many standard deviations they are off."""
    widths = _CHARACTER_WIDTH * _lengths(groups, tables)
    heights = [_TITLE_HEIGHT + _LINE_HEIGHT * (len(table) + 1) for table in tables]
    size = widths.sum(), sum(heights)
    shape = {"nrows": len(tables), "ncols": 1, "height_ratios": heights}
    figure, grid = grid_in(ax, caller, size, **shape)
    room = size[0] if ax is None else ax.get_window_extent().width / ax.figure.dpi
    font_size = _FONT_SIZE * min(1, room / size[0])
    axes = []
    for number, (group, table, off) in enumerate(zip(groups, tables, deviations, strict=True)):
        panel = figure.add_subplot(grid[number])
        panel.set_axis_off()
        panel.set_title(group.title, loc="left", fontsize=11, fontweight="bold")
        axes.append(panel)
        if len(table):
            _draw_table(panel, group, table, off, widths / size[0], font_size)
    note = "Shades: standard deviations off the mean of all samples, blue below and red above"
    axes[-1].text(0, -0.02, note, va="top", fontsize=8, color="0.4")
    return figure, axes


def _draw_table(
    panel: Axes,
    group: Group,
    table: pd.DataFrame,
    deviations: Array,
    widths: Array,
    font_size: float,
) -> None:
    from matplotlib import colormaps
    from matplotlib.transforms import Bbox

    shades = colormaps["RdBu_r"](0.5 + _MOST_SHADE * np.tanh(deviations / 3))
    white = np.ones((len(table), len(_HEADER), 4))
    drawn = panel.table(
        cellText=_cells(group, table),
        colLabels=[*_HEADER, *map(_shown, table.columns)],
        cellColours=np.concatenate([white, shades], axis=1).tolist(),
        colWidths=widths.tolist(),
        cellLoc="right",
        bbox=Bbox.unit(),
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(font_size)
    for (row, column), cell in drawn.get_celld().items():
        cell.set_edgecolor("white")
        cell.set_text_props(parse_math=False)
        if column == 1 and row:
            cell.set_text_props(color=group.color, fontweight="bold")


def _cells(group: Group, table: pd.DataFrame) -> list[list[str]]:
    probability = [f"{share:.1%}" for share in group.probability]
    columns = [group.y_true, group.y_pred, probability]
    columns += [[_shown(value) for value in column] for _, column in table.items()]
    return [list(row) for row in zip(*columns, strict=True)]


def _shown(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def _lengths(groups: Sequence[Group], tables: Sequence[pd.DataFrame]) -> Array:
    """Return the room that each column needs, in characters; all tables have the same columns."""
    lines = [[*_HEADER, *map(_shown, tables[0].columns)]]
    for group, table in zip(groups, tables, strict=True):
        lines += _cells(group, table)
    return np.array([[len(cell) for cell in line] for line in lines]).max(axis=0) + 3
