"""Training: tasks in, trained networks out."""

from .._keras_objects import activation_function
from .engines import SlowEngineWarning, train
from .losses import per_row_function
from .optimizers import OptimizerSettings, optimizer_settings
from .program import clear_programs, trace_count
from .task import TrainingResult, TrainingTask

__all__ = [
    "OptimizerSettings",
    "SlowEngineWarning",
    "TrainingResult",
    "TrainingTask",
    "clear_cache",
    "optimizer_settings",
    "trace_count",
    "train",
]


def clear_cache() -> None:
    """Forget all compiled training programs.

    The next fit of each architecture compiles again. Python objects are freed; XLA itself
    keeps about 4.5 MB for each program until the process ends.

    Examples
    --------
    >>> import skdense
    >>> skdense.clear_cache()
    """
    clear_programs()
    per_row_function.cache_clear()
    activation_function.cache_clear()
