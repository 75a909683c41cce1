"""Training: tasks in, trained networks out."""

from .._keras_objects import activation_function
from .._warnings import SlowEngineWarning
from .early_stopping import EarlyStopping
from .engines import train
from .evaluation import row_values
from .gradients import gradient_function
from .losses import per_row_function
from .metrics import Accuracy, Metric, metric_function
from .optimizers import OptimizerSettings, optimizer_settings
from .program import clear_programs, trace_count
from .task import (
    Draw,
    EpochListener,
    OptimizerState,
    TrainingResult,
    TrainingState,
    TrainingTask,
    ValidationData,
    generator,
)

__all__ = [
    "Accuracy",
    "Draw",
    "EarlyStopping",
    "EpochListener",
    "Metric",
    "OptimizerSettings",
    "OptimizerState",
    "SlowEngineWarning",
    "TrainingResult",
    "TrainingState",
    "TrainingTask",
    "ValidationData",
    "clear_cache",
    "generator",
    "metric_function",
    "optimizer_settings",
    "trace_count",
    "train",
]


def clear_cache() -> None:
    """Forget all compiled training programs.

    The next fit of each architecture compiles again. Python objects are freed; XLA itself
    keeps 8 to 14 MB for each program until the process ends.

    Examples
    --------
    >>> import skdense
    >>> skdense.clear_cache()
    """
    clear_programs()
    per_row_function.cache_clear()
    row_values.cache_clear()
    gradient_function.cache_clear()
    activation_function.cache_clear()
