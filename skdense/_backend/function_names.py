"""Names of traced functions that are the same in every process.

TensorFlow numbers the functions that it traces, one after the other, and XLA finds compiled code
on disk by their names, too. So a program would be found only where the same ones were traced
before it, in the same order: not by the workers of a search. A first fit then takes 0.44 s in place
of 0.20 s.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

from .loading import function_numbering

# Numbers that tracing a program may use up, and retracings in one process.
_NUMBERS, _RETRACINGS = 1_000, 1_000

_lock = threading.Lock()
_n_traced: Counter[int] = Counter()


def identity_of(value: object) -> str:
    """Describe a value by what it is, in words that every process finds for it.

    Fields that do not compare are left out, and addresses. Two functions of one name get the same
    words; XLA tells their programs apart by what they compute.
    """
    if hasattr(value, "stable_identity"):
        return str(value.stable_identity)
    if isinstance(value, tuple):
        return f"({', '.join(map(identity_of, value))})"
    if is_dataclass(value) and not isinstance(value, type):
        parts = [identity_of(getattr(value, f.name)) for f in fields(value) if f.compare]
        return f"{type(value).__qualname__}({', '.join(parts)})"
    if callable(value):
        kind = value if hasattr(value, "__qualname__") else type(value)
        return f"{kind.__module__}.{kind.__qualname__}"
    return repr(value)


@contextlib.contextmanager
def named_after(what: object) -> Iterator[None]:
    """Have functions that this thread traces numbered from what they are traced for.

    Parameters
    ----------
    what : object
        Told from everything else that is traced by `identity_of`.
    """
    numbering = function_numbering()
    if numbering is None:
        yield
        return
    digest = int(hashlib.sha256(identity_of(what).encode()).hexdigest()[:8], 16)
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
