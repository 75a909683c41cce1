"""What a process does from its start to a fitted network, or to a first prediction.

To be called in fresh processes: only the standard library is imported here at the top.
"""

from __future__ import annotations

import importlib
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

# What the users of each contestant import.
PACKAGES = {
    "skdense": ["skdense"],
    "MLP": ["sklearn.neural_network"],
    "Keras": ["keras"],
    "skorch": ["torch", "skorch"],
}
# What a contestant imports at its first fit.
_LATER = {"skdense": ["keras", "tensorflow"]}
_WARM_FITS = 3
_WIDER = 4  # units of another architecture


def time_import(peer: str) -> dict[str, float]:
    """Import what a contestant's users do."""
    return {"import": _seconds(lambda: _import(PACKAGES[peer]))}


def time_first_fit(peer: str, workload: dict[str, Any]) -> dict[str, float]:
    """Import, fit, fit again, and fit another architecture.

    TensorFlow, where it is imported later, has a time of its own.
    """
    seconds = time_import(peer)
    seconds["TensorFlow's import"] = _seconds(lambda: _import(_LATER.get(peer, [])))
    make, X, y = _prepared(peer, workload)
    networks: list[Any] = []
    seconds["first fit"] = _seconds(lambda: networks.append(make()))
    again = [_seconds(lambda: networks[0].fit(X, y)) for _ in range(_WARM_FITS)]
    seconds["later fit"] = median(again)
    other = {**workload, "units": [width + _WIDER for width in workload["units"]]}
    make, *_ = _prepared(peer, other)
    seconds["another's first"] = _seconds(make)
    return seconds


def write_fitted(peer: str, workload: dict[str, Any], file: str) -> None:
    """Fit, and write a file to predict from."""
    make, X, _ = _prepared(peer, workload)
    network = make()
    network.predict(X[:1])
    if peer == "Keras":
        network.model.save(file)
    else:
        Path(file).write_bytes(pickle.dumps(network))


def time_prediction(peer: str, file: str, row: list[float]) -> dict[str, float]:
    """Read a fitted network, imports included, and predict one row; say what was loaded."""
    networks: list[Any] = []
    seconds = {"load": _seconds(lambda: networks.append(_read(peer, file)))}
    import numpy as np

    X = np.array([row], np.float32)
    predict = networks[0].predict
    seconds["predict"] = _seconds(lambda: predict(X, verbose=0) if peer == "Keras" else predict(X))
    return {**seconds, "loads TensorFlow": float("tensorflow" in sys.modules)}


def _read(peer: str, file: str) -> Any:
    if peer == "Keras":
        import keras

        return keras.models.load_model(file)
    return pickle.loads(Path(file).read_bytes())  # noqa: S301 - our own


def _prepared(peer: str, workload: dict[str, Any]) -> tuple[Callable[[], Any], Any, Any]:
    """Return what makes and fits a network, and the rows."""
    from _workloads import Workload

    own = Workload.of(workload)
    X, y = own.rows()
    if peer == "Keras":
        from _keras_peers import PlainKeras

        return lambda: PlainKeras(own, X, y), X, y
    return lambda: _fitted(_network(peer, own), X, y), X, y


def _network(peer: str, workload: Any) -> Any:
    import _peers

    if peer == "skorch":
        from _skorch_peer import Skorch

        return Skorch(workload)
    return {"skdense": _peers.skdense_network, "MLP": _peers.mlp_network}[peer](workload)


def _fitted(network: Any, X: Any, y: Any) -> Any:
    network.fit(X, y)
    return network


def _import(names: list[str]) -> None:
    for name in names:
        importlib.import_module(name)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
