"""Four ways of getting a trained pipeline to where it is needed.

A pickle, skdense's own file, files of Keras, and ONNX: each predicts the same of the penguins.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pandas as pd
from palmerpenguins import load_penguins
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skdense
from skdense import KerasDenseClassifier


def trained_pipeline(X: pd.DataFrame, y: pd.Series, epochs: int, best: Path) -> Pipeline:
    """Train, and keep the whole model of the best epoch in a file of Keras."""
    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
    )
    network = KerasDenseClassifier(
        units=12,
        epochs=epochs,
        early_stopping=True,
        callbacks=keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
        random_state=0,
    )
    return Pipeline([("columns", columns), ("network", network)]).fit(X, y)


def through_weights(network: KerasDenseClassifier, folder: Path) -> keras.Sequential:
    """Save the weights alone, and load them into a model of the same layers."""
    network.to_keras().save_weights(folder / "network.weights.h5")
    twin = network.to_keras()
    for weight in twin.weights:
        weight.assign(np.zeros(weight.shape))
    twin.load_weights(folder / "network.weights.h5")
    return twin


def served(file: Path, X: pd.DataFrame) -> np.ndarray:
    """Return probabilities of a whole pipeline, as onnxruntime computes them."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    dtypes = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(int64)": np.int64}
    columns = {
        given.name: X[[given.name]].to_numpy().astype(dtypes.get(given.type, object))
        for given in session.get_inputs()
    }
    return session.run(["probabilities"], columns)[0]


def main() -> None:
    """Save and load in every way, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args()
    X = load_penguins().dropna(subset="sex").drop(columns="year")
    y = X.pop("species")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline = trained_pipeline(X, y, options.epochs, folder / "best.keras")
        network, inputs = pipeline["network"], pipeline["columns"].transform(X)
        expected = pipeline.predict_proba(X)

        (folder / "pipeline.pkl").write_bytes(pickle.dumps(pipeline))
        unpickled = pickle.loads((folder / "pipeline.pkl").read_bytes())  # noqa: S301 - our own
        network.set_params(callbacks=None).save(folder / "network.skdense")
        loaded = skdense.load(folder / "network.skdense")
        best = keras.saving.load_model(folder / "best.keras")
        from_keras = KerasDenseClassifier.from_keras(best, classes=network.classes_)
        weights = through_weights(network, folder)
        (folder / "pipeline.onnx").write_bytes(skdense.to_onnx(pipeline, X).SerializeToString())

        answers = {
            "pickle of the pipeline": unpickled.predict_proba(X),
            "skdense's file": loaded.predict_proba(inputs),
            "Keras' file of the best epoch": from_keras.predict_proba(inputs),
            "Keras' file of weights": weights.predict(inputs, verbose=0),
            "ONNX of the pipeline": served(folder / "pipeline.onnx", X),
        }
    for way, probabilities in answers.items():
        print(f"{way:30} differs by at most {np.abs(probabilities - expected).max():.1e}")


if __name__ == "__main__":
    main()
