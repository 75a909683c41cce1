"""Results that tutorials of Keras have published, and the networks and trainings behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NORMALISED, RAW = "divided by 255", "raw 0-255"
MNIST, FASHION = "mnist", "fashion_mnist"
TEST, VALIDATION, BEST_VALIDATION = "test", "validation", "best validation"

_RMSPROP = {"optimizer": "rmsprop", "batch_size": 128, "validation_fraction": 0.2, "epochs": 30}
_SGD = {"optimizer": "sgd", "batch_size": 32, "epochs": 10}
_WITH_DROPOUT = {"units": (256, 128), "dropout": (0.4, 0.3), **_RMSPROP}
_SQUARED_ERROR = {"loss": "mean_squared_error", "activation": "sigmoid", "units": 128, **_SGD}
_DEEP = {"units": (512, 256, 128, 64), "learning_rate": 0.001, **_SGD}


@dataclass(frozen=True)
class Published:
    """A published accuracy.

    Attributes
    ----------
    name : str
        Of the network and its training.
    accuracies : tuple of float
        As published; the same training may have several.
    parameters : Mapping of str to Any
        Of the estimator.
    data : {"mnist", "fashion_mnist"}
    inputs : {"divided by 255", "raw 0-255"}
    rows : {"test", "validation", "best validation"}
        What the accuracy is of; the best validation is that of the best epoch.
    learning_rates : tuple of float
        One after the other, each for all epochs. Empty: the estimator's.
    """

    name: str
    accuracies: tuple[float, ...]
    parameters: Mapping[str, Any]
    data: str = MNIST
    inputs: str = NORMALISED
    rows: str = TEST
    learning_rates: tuple[float, ...] = ()


_WIDTHS = {16: 0.9497, 32: 0.9663, 64: 0.9747, 256: 0.9803, 512: 0.981, 1024: 0.9826}

PUBLISHED = [
    Published("256-128, dropout .4 and .3", (0.9802,), _WITH_DROPOUT),
    Published("256-128", (0.9776,), {**_WITH_DROPOUT, "dropout": 0.0}),
    Published("128-128", (0.9792,), {**_RMSPROP, "units": (128, 128)}),
    Published("128", (0.9776, 0.9782), {**_RMSPROP, "units": (128,)}),
    *[
        Published(f"{units}", (accuracy,), {**_RMSPROP, "units": (units,)})
        for units, accuracy in _WIDTHS.items()
    ],
    Published(
        "512, 10 epochs, 25 % held out",
        (0.9821,),
        {**_RMSPROP, "units": (512,), "epochs": 10, "validation_fraction": 0.25},
    ),
    Published(
        "softmax alone",
        (0.8506,),
        {**_RMSPROP, "depth": 0, "batch_size": 32, "epochs": 5},
        FASHION,
        rows=VALIDATION,
    ),
    Published(
        "100, dropout .3, adam, best epoch of 20",
        (0.8863,),
        # Patience as long as the training: all epochs are trained, and the best one stays.
        {"units": 100, "depth": 1, "dropout": 0.3, "batch_size": 32, "epochs": 20}
        | {"early_stopping": True, "validation_fraction": 0.2, "patience": 20},
        FASHION,
        rows=BEST_VALIDATION,
    ),
    Published("256-128, dropout .4 and .3", (0.1251,), _WITH_DROPOUT, inputs=RAW),
    Published(
        "128 sigmoid, 10 sigmoid, squared error, SGD .01",
        (0.8824,),
        {**_SQUARED_ERROR, "depth": 1, "output_activation": "sigmoid"},
        inputs=RAW,
    ),
    Published(
        "the same, SGD .1, then .01, then .001",
        (0.9371,),
        {**_SQUARED_ERROR, "depth": 1, "output_activation": "sigmoid", "validation_fraction": 0.2},
        inputs=RAW,
        learning_rates=(0.1, 0.01, 0.001),
    ),
    Published(
        "128 sigmoid, softmax, squared error, SGD .001",
        (0.4798,),
        {**_SQUARED_ERROR, "depth": 1, "learning_rate": 0.001, "validation_fraction": 0.2}
        | {"output_activation": "softmax"},
        inputs=RAW,
        rows=VALIDATION,
    ),
    Published(
        "128 sigmoid, softmax, cross-entropy, SGD .001",
        (0.9133,),
        {**_SQUARED_ERROR, "depth": 1, "learning_rate": 0.001, "validation_fraction": 0.2}
        | {"loss": "auto"},
        inputs=RAW,
        rows=VALIDATION,
    ),
    Published(
        "512-256-128-64, SGD .001, 15 epochs",
        (0.9559,),
        {**_DEEP, "epochs": 15, "validation_fraction": 0.2},
        inputs=RAW,
    ),
    Published(
        "512-256-128-64 sigmoid, SGD .001",
        (0.1438,),
        {**_DEEP, "activation": "sigmoid", "validation_fraction": 0.2},
        inputs=RAW,
        rows=VALIDATION,
    ),
]

XOR_ROWS, XOR_LABELS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
XOR_EPOCHS = 4_000  # within which all four are right
XOR_PARAMETERS = {
    "units": (2, 4),
    "activation": ("sigmoid", "linear"),
    "output_activation": "softmax",
    "optimizer": "rmsprop",
    "batch_size": 4,
}
