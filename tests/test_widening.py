"""Networks of usual widths, which stand for narrower ones in compiled programs."""

import numpy as np
import pytest

from skdense import KerasDenseClassifier
from skdense._networks.network import HiddenLayer, build_network
from skdense._networks.widening import (
    crop_weights,
    pad_weights,
    usual_inputs,
    usual_units,
    widen,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 5))
Y = (X[:, 0] > 0).astype(int)


def network(*units, activation="relu", n_inputs=5, batch_normalization=False):
    hidden = [HiddenLayer(width, activation, 0.1) for width in units]
    return build_network(n_inputs, hidden, 3, "softmax", batch_normalization)


def widths(of):
    return of.n_inputs, *[stage.n_units for stage in of.dense]


def test_usual_widths():
    asked = [1, 5, 9, 17, 33, 129, 300]
    assert [usual_units(width) for width in asked] == [4, 8, 16, 32, 40, 144, 304]
    assert [usual_inputs(width) for width in asked] == [8, 8, 16, 24, 48, 144, 304]


@pytest.mark.parametrize("width", range(1, 600, 7))
def test_a_usual_width_is_little_wider(width):
    for usual in (usual_units(width), usual_inputs(width)):
        assert width <= usual < width + 16
        assert usual_units(usual_units(width)) == usual_units(width)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (network(5, 17), (8, 8, 32, 3)),
        (network(5, 17, activation="tanh"), (8, 8, 32, 3)),
        (network(5, 17, activation="sigmoid"), (8, 5, 17, 3)),  # whose zeros give 0.5
        (network(5, 17, activation="softmax"), (8, 5, 17, 3)),
        (network(5, 17, activation=np.sign), (8, 5, 17, 3)),  # of which nothing is known
        (network(5, 17, batch_normalization=True), (8, 5, 17, 3)),
        (network(), (5, 3)),
    ],
    ids=str,
)
def test_what_is_widened(given, expected):
    assert widths(widen(given, widens_input=True)) == expected
    assert widths(widen(given, widens_input=False)) == (5, *expected[1:])


def test_weights_are_padded_with_zeros_and_cropped_again():
    given = network(5, 17)
    wide = widen(given, widens_input=True)
    weights = [
        {name: RNG.standard_normal(spec.shape) for name, spec in stage.weight_specs.items()}
        for stage in given.stages
    ]
    padded = pad_weights(weights, wide)
    assert padded[0]["kernel"].shape == (8, 8)
    assert np.count_nonzero(padded[0]["kernel"]) == 25
    for before, after in zip(weights, crop_weights(padded, given), strict=True):
        for name, array in before.items():
            np.testing.assert_array_equal(after[name], array)
            assert after[name].base is None


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "sgd"])
@pytest.mark.parametrize("units", [1, 9])
def test_weights_that_are_0_stay_0(optimizer, units):
    settings = {"units": units, "optimizer": optimizer, "epochs": 5, "dtype": "float64"}
    settings |= {"random_state": 0, "l1": 0.01, "weight_decay": 0.01, "clipnorm": 0.5}
    ours, keras_own = (
        KerasDenseClassifier(engine=engine, **settings).fit(X, Y)
        for engine in ("compiled", "keras")
    )
    assert ours.coefs_[0].shape == (5, units)
    for own, other in zip(ours.coefs_, keras_own.coefs_, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-8, atol=1e-10)


def test_training_goes_on_from_weights_and_optimizer_of_the_true_widths():
    settings = {"units": 9, "optimizer": "nadam", "random_state": 0, "warm_start": True}
    settings |= {"learning_rate_schedule": None, "learning_rate": 0.01}
    twice = KerasDenseClassifier(epochs=3, **settings).fit(X, Y).fit(X, Y)
    once = KerasDenseClassifier(epochs=6, **settings).fit(X, Y)
    for own, other in zip(twice.coefs_, once.coefs_, strict=True):
        np.testing.assert_array_equal(own, other)
