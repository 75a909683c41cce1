"""How far does one line on a raw table go? Text, categories and gaps, beside two forests.

By default the penguins, seven columns of which hold numbers, texts and missing values. Any file of
comma-separated values does as well: ``--data adult.csv --target income --missing '?'``. The model
then goes to an ONNX file, which takes the raw table too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from palmerpenguins import load_penguins
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

import skdense
from skdense import KerasTabularClassifier


def make_models(epochs: int | str) -> dict[str, Any]:
    """Return the contestants by name, each with its own defaults."""
    models: dict[str, Any] = {
        "KerasTabular": KerasTabularClassifier(epochs=epochs, random_state=0),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
    }
    if find_spec("catboost"):
        import catboost

        models["CatBoost"] = catboost.CatBoostClassifier(random_seed=0, verbose=0)
    return models


def for_forests(X: pd.DataFrame) -> pd.DataFrame:
    """Name the categories, as forests have to be told, and fill their gaps."""
    texts = X.select_dtypes(exclude="number").columns
    return X.assign(**{name: X[name].astype(object).fillna("missing") for name in texts}).astype(
        dict.fromkeys(texts, "category")
    )


def served(file: Path, X: pd.DataFrame) -> np.ndarray:
    """Return probabilities as onnxruntime computes them; "" is a missing text."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    dtypes = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(int64)": np.int64}
    inputs = {
        given.name: X[[given.name]].astype(object).fillna("").to_numpy()
        if given.type == "tensor(string)"
        else X[[given.name]].to_numpy(dtypes[given.type])
        for given in session.get_inputs()
    }
    probabilities: np.ndarray = session.run(["probabilities"], inputs)[0]
    return probabilities


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a file of comma-separated values")
    parser.add_argument("--target", default="species")
    parser.add_argument("--missing", help="what stands for missing values besides nothing")
    parser.add_argument("--epochs", type=int, help="by default as many as the rows ask for")
    parser.add_argument("--onnx", type=Path, default=Path("table.onnx"))
    options = parser.parse_args(argv)

    missing = options.missing
    X = pd.read_csv(options.data, na_values=missing) if options.data else load_penguins()
    X = X.dropna(subset=options.target)
    y = X.pop(options.target)
    print(f"{len(X)} rows, {X.isna().any().sum()} of {X.shape[1]} columns with gaps")
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    for name, model in make_models(options.epochs or "auto").items():
        is_ours = name == "KerasTabular"
        train, test = (X_train, X_test) if is_ours else map(for_forests, (X_train, X_test))
        start = time.perf_counter()
        model.fit(train, y_train)
        seconds = time.perf_counter() - start
        probabilities = model.predict_proba(test)
        loss = log_loss(y_test, probabilities, labels=model.classes_)
        accuracy = accuracy_score(y_test, model.classes_[probabilities.argmax(axis=1)])
        print(f"{name:21} accuracy {accuracy:.3f}, log-loss {loss:.4f}, {seconds:.1f} s")
        if is_ours:
            options.onnx.write_bytes(skdense.to_onnx(model, X_test).SerializeToString())
            gap = np.abs(served(options.onnx, X_test) - probabilities).max()
            print(f"{options.onnx}: within {gap:.0e} of these")


if __name__ == "__main__":
    main()
