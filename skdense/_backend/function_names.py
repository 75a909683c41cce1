"""Names of traced functions that are the same in every process.

TensorFlow numbers the functions that it traces, one after the other, and XLA finds compiled code
on disk by their names, too. So a program would be found only where the same ones were traced
before it, in the same order: not by the workers of a search.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator

from .loading import function_numbering

# Numbers that tracing a program may use up, and retracings in one process.
_NUMBERS, _RETRACINGS = 1_000, 1_000

_lock = threading.Lock()
_n_traced: Counter[int] = Counter()


@contextlib.contextmanager
def named_after(what: object) -> Iterator[None]:
    """Have functions that this thread traces numbered from what they are traced for.

    Parameters
    ----------
    what : object
        Whose ``repr`` tells it from everything else that is traced.
    """
    numbering = function_numbering()
    if numbering is None:
        yield
        return
    digest = int(hashlib.sha256(repr(what).encode()).hexdigest()[:8], 16)
    with _lock:
        # Never twice in one process, where a name belongs to one function for good.
        start = (digest * _RETRACINGS + _n_traced[digest] % _RETRACINGS) * _NUMBERS
        _n_traced[digest] += 1
        usual: Callable[[], int] = numbering.uid
        thread, numbers = threading.get_ident(), itertools.count(start)

        def uid() -> int:
            return next(numbers) if threading.get_ident() == thread else usual()

        numbering.uid = uid
        try:
            yield
        finally:
            numbering.uid = usual
