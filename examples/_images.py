"""MNIST and Fashion-MNIST: from a folder of their own files, or fetched by Keras."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np


def load_images(name: str, folder: Path | None) -> tuple[np.ndarray, ...]:
    """Return X_train, y_train, X_test and y_test, pixels between 0 and 1 in rows of 784.

    Parameters
    ----------
    name : {"mnist", "fashion_mnist"}
    folder : Path or None
        Of the four ``.gz`` files. None has Keras fetch them, once, into ``~/.keras/datasets``.
    """
    if folder is None:
        import keras

        train, test = getattr(keras.datasets, name).load_data()
    else:
        train, test = (_read(folder, part) for part in ("train", "t10k"))
    (X_train, y_train), (X_test, y_test) = train, test
    X_train, X_test = (X.reshape(len(X), -1) / np.float32(255) for X in (X_train, X_test))
    return X_train, y_train, X_test, y_test


def _read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    y = np.frombuffer(labels, np.uint8, offset=8)
    return np.frombuffer(images, np.uint8, offset=16).reshape(len(y), -1), y
