"""All that is kept from one fit for the next."""

from .._backend.keras_objects import activation_function
from .evaluation import trace_row_values
from .gradients import gradient_function
from .losses import per_row_function
from .program import clear_programs


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
    trace_row_values.cache_clear()
    gradient_function.cache_clear()
    activation_function.cache_clear()
