"""skl2onnx told of the estimators as soon as somebody imports it, for its own entry points.

It knows converters by a registry and has no other way to find ours. Importing it with skdense would
take as long as skdense itself, so that this waits for its import.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_NAME = "skl2onnx"


def tell_when_imported(register: Callable[[ModuleType], None]) -> None:
    """Call a function with skl2onnx, now or right after it is imported."""
    module = sys.modules.get(_NAME)
    if module is not None:
        register(module)
    else:
        sys.meta_path.insert(0, _Finder(register))


class _Finder(MetaPathFinder):
    """Finds skl2onnx as all others do, and has somebody told when it is loaded."""

    def __init__(self, register: Callable[[ModuleType], None]) -> None:
        self._register = register
        self._asks = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _NAME or self._asks:
            return None
        self._asks = True  # all others
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._asks = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._register)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader, register: Callable[[ModuleType], None]) -> None:
        self._loader, self._register = loader, register

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader  # which knows its files
        self._loader.exec_module(module)
        self._register(module)
