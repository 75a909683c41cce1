"""All that is kept from one fit for the next."""

from .._backend.keras_objects import activation_function
from .evaluation import trace_row_values
from .gradients import gradient_function
from .losses import per_row_function
from .program import clear_programs


def clear_cache() -> None:
    """Forget all compiled training programs.

    The next fit of each architecture compiles again. Frees 4 to 9 MB for each program, of which
    the 128 used last are kept.

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
