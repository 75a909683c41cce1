"""Where a display draws: pyplot, loaded late, and a grid of axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


def pyplot(caller: str) -> Any:
    """Return matplotlib's pyplot.

    Raises
    ------
    ImportError
        Without matplotlib; it names the caller.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed. Install it: pip install matplotlib"
        ) from error
    return plt


def require_axes(ax: Any, caller: str) -> None:
    """Raise TypeError if `ax` is no axes of matplotlib."""
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"{caller} needs ax to be a matplotlib Axes. Got {type(ax).__name__}.")


def grid_in(
    ax: Axes | None, caller: str, size: tuple[float, float], **shape: Any
) -> tuple[Figure | SubFigure, Any]:
    """Return a figure and a grid in it: a new figure, or that of an axes, in whose place it is.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Gives its place up. None makes a figure.
    caller : str
        For messages.
    size : (float, float)
        Width and height of a new figure, in inches.
    **shape : Any
        Of the grid: ``nrows``, ``ncols``, ``height_ratios``.

    Raises
    ------
    TypeError, ValueError
        If `ax` is no axes, or has no place in a grid.
    """
    if ax is None:
        figure = pyplot(caller).figure(figsize=size, layout="constrained")
        return figure, figure.add_gridspec(**shape)
    require_axes(ax, caller)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            f"{caller} draws several axes in the place of ax, which must come from plt.subplots "
            "or Figure.add_subplot. Got one outside of a grid."
        )
    ax.set_axis_off()
    return ax.figure, place.subgridspec(**shape)
