"""Functions called in fresh processes, whose start, memory and threads are their own.

Run as a script, this is such a process. It imports nothing but the standard library before the
function does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

CACHE = "SKDENSE_CACHE_DIR"
# A process of its own decides about compiled programs on disk; TensorFlow's messages at its
# start are not for the tables.
_WITHOUT, _QUIET = (CACHE, "TF_XLA_FLAGS"), {"TF_CPP_MIN_LOG_LEVEL": "3"}


class FreshProcess:
    """A process that calls functions of the modules beside this one, one after the other."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in _WITHOUT}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `__exit__`
        self._process = subprocess.Popen(  # noqa: S603 - this file, with this Python
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**inherited, **_QUIET, **(environment or {})},
            text=True,
        )

    def call(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """Return what a function returns there; arguments and result pass as JSON."""
        assert self._process.stdin
        assert self._process.stdout
        module = Path(function.__code__.co_filename).stem
        request = json.dumps([module, function.__name__, arguments])
        print(request, file=self._process.stdin, flush=True)
        if reply := self._process.stdout.readline():
            return json.loads(reply)
        code = self._process.wait()
        self._errors.seek(0)
        raise RuntimeError(
            f"{module}.{function.__name__} failed with exit code {code}:\n{self._errors.read()}"
        )

    def __enter__(self) -> FreshProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process, at once if something failed."""
        if kind is not None:
            self._process.kill()
        self._process.communicate()
        self._errors.close()


def run_fresh(
    function: Callable[..., Any], environment: Mapping[str, str] | None = None, **arguments: Any
) -> Any:
    """Return what a function returns in a process of its own."""
    with FreshProcess(environment) as process:
        return process.call(function, **arguments)


def serve() -> None:
    """Call what is asked for on stdin, until that ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the functions print must not pass for a reply
    for request in sys.stdin:
        module, function, arguments = json.loads(request)
        result = getattr(importlib.import_module(module), function)(**arguments)
        print(json.dumps(result), file=replies, flush=True)
    gc.freeze()  # or else Python takes a second to look through TensorFlow's modules at the end


if __name__ == "__main__":
    serve()
