"""The stages that a network is made of: each in a file of its own, with all that it means.

`stage` says what that is. A new stage is a file beside these, and a name in `STAGES`.
"""

from .activation import Activation
from .categories import Categories
from .dense import Dense
from .dropout import Dropout
from .embedding import Embedding
from .learned_scale import LearnedScale
from .normalization import Normalization
from .periodic import Periodic
from .piecewise_linear import PiecewiseLinear
from .robust_scaling import RobustScaling
from .sorted_quantiles import SortedQuantiles
from .stage import Stage

# By the names under which files hold them.
STAGES: dict[str, type[Stage]] = {
    kind.__name__: kind
    for kind in (
        Activation,
        Categories,
        Dense,
        Dropout,
        LearnedScale,
        Normalization,
        Periodic,
        PiecewiseLinear,
        RobustScaling,
        SortedQuantiles,
    )
}

__all__ = [
    "STAGES",
    "Activation",
    "Categories",
    "Dense",
    "Dropout",
    "Embedding",
    "LearnedScale",
    "Normalization",
    "Periodic",
    "PiecewiseLinear",
    "RobustScaling",
    "SortedQuantiles",
    "Stage",
]
