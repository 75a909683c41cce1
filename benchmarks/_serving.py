"""How each contestant keeps a trained network and answers from it, in a process of its own.

Only the standard library is imported here at the top, since the processes time their imports.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SKDENSE, LOADED, MLP = "skdense, pickle", "skdense, load", "MLP, pickle"
KERAS, ONNX = "to_keras().predict", "onnxruntime"
TABULAR = "KerasTabular, load"  # which takes the table as it is
_FILES = {
    SKDENSE: "skdense.pkl",
    LOADED: "network.skdense",
    MLP: "mlp.pkl",
    KERAS: "network.keras",
    ONNX: "model.onnx",
    TABULAR: "table.skdense",
}
EVERYBODY = tuple(peer for peer in _FILES if peer != TABULAR)

ROWS = "rows.pkl"

Answer = Callable[[Any], Any]


def write_pipelines(folder: str, epochs: int, tabular: dict[str, Any] | None) -> None:
    """Train on the penguins, and write what each contestant serves.

    `tabular` has parameters of KerasTabularClassifier, or is None where that does not compete.
    """
    from _data import penguins
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    import skdense

    X, y = penguins()
    X, y = X[X["sex"].notna()], y[X["sex"].notna()]  # ONNX has no missing text
    X = X.astype(dict.fromkeys(X.select_dtypes("number"), "float32"))
    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (OneHotEncoder(), make_column_selector(dtype_exclude="number")),
    )
    common = {"batch_size": 32, "random_state": 0}
    ours = skdense.KerasDenseClassifier(units=(16, 16), epochs=epochs, **common)
    theirs = MLPClassifier((16, 16), max_iter=epochs, tol=0, **common)
    pipelines = {
        SKDENSE: make_pipeline(columns, ours).fit(X, y),
        MLP: make_pipeline(columns, theirs).fit(X, y),
    }
    _write(Path(folder), pipelines, ours, skdense.to_onnx(pipelines[SKDENSE], X[:1]))
    if tabular is not None:
        own = skdense.KerasTabularClassifier(**{"epochs": epochs, "random_state": 0} | tabular)
        own.fit(X, y).save(Path(folder) / _FILES[TABULAR])
    (Path(folder) / "columns.pkl").write_bytes(pickle.dumps(pipelines[SKDENSE][0]))
    X.to_pickle(Path(folder) / ROWS)


def write_networks(folder: str, workload: dict[str, Any]) -> None:
    """Train on generated numbers, and write what each contestant serves."""
    import _peers
    from _workloads import Workload

    import skdense

    own = Workload.of(workload)
    X, y = own.rows()
    ours = _peers.skdense_network(own).fit(X, y)
    networks = {SKDENSE: ours, MLP: _peers.mlp_network(own).fit(X, y)}
    _write(Path(folder), networks, ours, skdense.to_onnx(ours, X[:1]))


def _write(folder: Path, pickled: dict[str, Any], ours: Any, model: Any) -> None:
    for name, estimator in pickled.items():
        (folder / _FILES[name]).write_bytes(pickle.dumps(estimator))
    ours.save(folder / _FILES[LOADED])
    ours.to_keras().save(folder / _FILES[KERAS])
    (folder / _FILES[ONNX]).write_bytes(model.SerializeToString())


def unpickled(path: Path) -> Any:
    """Read what this benchmark has written."""
    return pickle.loads(path.read_bytes())  # noqa: S301 - our own


def answerer(peer: str, folder: str) -> Answer:
    """Read a contestant's file; returns its probabilities of rows.

    Of a table where the folder has what prepares its columns.
    """
    path = Path(folder) / _FILES[peer]
    if peer in (SKDENSE, MLP):
        return unpickled(path).predict_proba
    if peer == ONNX:
        return _session(path)
    if peer == TABULAR:
        import skdense

        return skdense.load(path).predict_proba
    prepare: Answer = _as_it_is
    if (Path(folder) / "columns.pkl").exists():
        prepare = unpickled(Path(folder) / "columns.pkl").transform
    if peer == LOADED:
        import skdense

        network = skdense.load(path)
        return lambda rows: network.predict_proba(prepare(rows))
    import keras

    model = keras.saving.load_model(path)
    return lambda rows: model.predict(prepare(rows), verbose=0)


def _as_it_is(rows: Any) -> Any:
    return rows


def _session(path: Path) -> Answer:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def answer(rows: Any) -> Any:
        is_table = hasattr(rows, "columns")
        inputs = {name: rows[[name]].to_numpy() for name in rows} if is_table else {"X": rows}
        return session.run(["probabilities"], inputs)[0]

    return answer


def time_first_answer(peer: str, folder: str) -> dict[str, float]:
    """Read the file, imports included, and answer for one penguin."""
    started = time.perf_counter()
    answer = answerer(peer, folder)
    loaded = time.perf_counter()
    rows = unpickled(Path(folder) / ROWS)
    read = time.perf_counter()
    answer(rows[:1])
    return {
        "load": loaded - started,
        "answer": time.perf_counter() - read,
        "loads TensorFlow": float("tensorflow" in sys.modules),
    }


def time_bulk(peer: str, folder: str, n_rows: int, n_features: int) -> dict[str, float]:
    """Answer for many rows; returns seconds, and the memory that this takes besides the rows."""
    import numpy as np
    from _memory import time_and_memory

    X = np.random.default_rng(0).standard_normal((n_rows, n_features), np.float32)
    answer = answerer(peer, folder)
    answer(X[:1_000])
    return time_and_memory(lambda: answer(X))


def agreement(folder: str) -> str:
    """Say by how much answers differ from those of the pickle, as JSON by contestant."""
    import numpy as np

    rows = unpickled(Path(folder) / ROWS)
    expected = answerer(SKDENSE, folder)(rows)
    peers = [peer for peer in EVERYBODY if peer != MLP]
    found = {peer: answerer(peer, folder)(rows) for peer in peers}
    return json.dumps({peer: float(np.abs(own - expected).max()) for peer, own in found.items()})
