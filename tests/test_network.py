"""The NumPy forward pass against the same network in Keras."""

import keras
import numpy as np
import pytest
import scipy.sparse

from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._backend.keras_objects import activation_function
from skdense._networks import forward as forward_module
from skdense._networks.network import HiddenLayer, build_network, cast_weights
from skdense._networks.numpy_activations import NUMPY_ACTIVATIONS

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = X @ RNG.standard_normal(4)
CLASSES = np.digitize(Y, [-0.5, 0.5])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(NUMPY_ACTIVATIONS))
def test_numpy_activation_equals_keras(name, dtype):
    x = np.concatenate([np.linspace(-9, 9, 36), [0.5, -0.5, 1, -1, 0, 6]]).reshape(-1, 6)
    x = x.astype(dtype)
    ours = NUMPY_ACTIVATIONS[name](x.copy())
    theirs = np.asarray(activation_function(name)(x))
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(NUMPY_ACTIVATIONS) - {"linear", "exponential"}))
def test_numpy_activation_survives_huge_inputs(name):
    x = np.array([[-1e4, 1e4, 3.0], [1e4, 1e4, -1e4]], dtype=np.float32)
    assert not np.isnan(NUMPY_ACTIVATIONS[name](x)).any()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"depth": 0},
        {"units": (9, 5, 3), "activation": ("tanh", "gelu", "softmax")},
        {"batch_normalization": True, "dropout": 0.2, "l2": 0.01},
        {"dtype": "float64"},
        {"activation": keras.layers.LeakyReLU(negative_slope=0.1)},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "kind", [KerasDenseClassifier, pytest.param(KerasDenseRegressor, marks=pytest.mark.slow)]
)
def test_prediction_equals_keras_model(kind, parameters):
    y = CLASSES if kind is KerasDenseClassifier else 1e4 + 1e3 * Y
    fitted = kind(**{"units": 8, "epochs": 3, "random_state": 0} | parameters).fit(X, y)
    ours = fitted.predict_proba(X) if kind is KerasDenseClassifier else fitted.predict(X)
    theirs = fitted.to_keras().predict(X, verbose=0)
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=0, atol=1e-5 * scale)


@pytest.mark.slow
def test_keras_model_trains_on():
    fitted = KerasDenseClassifier(units=8, epochs=3, l2=0.01, random_state=0).fit(X, CLASSES)
    model = fitted.to_keras()
    before = model.evaluate(X, CLASSES, verbose=0)
    model.fit(X, CLASSES, epochs=5, verbose=0)
    assert model.evaluate(X, CLASSES, verbose=0) < before


def test_activation_of_the_user_is_applied_in_prediction():
    fitted = KerasDenseRegressor(
        units=4, epochs=2, activation=lambda x: keras.ops.sin(3 * x), random_state=0
    ).fit(X, Y)
    theirs = fitted.to_keras().predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(fitted.predict(X), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_have_the_dtype_of_the_input(dtype):
    fitted = KerasDenseClassifier(units=4, epochs=2, random_state=0).fit(X, CLASSES)
    assert fitted.predict_proba(X.astype(dtype)).dtype == dtype
    assert fitted.decision_function(X.astype(dtype)).dtype == dtype
    regressor = KerasDenseRegressor(units=4, epochs=2, random_state=0).fit(X, Y)
    assert regressor.predict(X.astype(dtype)).dtype == dtype


@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array, scipy.sparse.csc_array])
def test_blocks_of_rows_give_what_all_rows_give(container, monkeypatch):
    fitted = KerasDenseRegressor(units=8, epochs=2, random_state=0).fit(X, Y)
    whole = fitted.predict(X)
    monkeypatch.setattr(forward_module, "_BLOCK_SIZE", 56)  # 7 rows of 8 units
    monkeypatch.setattr(forward_module, "_FEWEST_ROWS", 1)
    np.testing.assert_allclose(fitted.predict(container(X)), whole, rtol=1e-12)


def test_small_probabilities_of_either_class_are_kept():
    linear = KerasDenseClassifier(depth=0, epochs=1, random_state=0).fit(X, Y > 0)
    direction = linear.coefs_[0][:, 0].astype(np.float32)
    far = np.outer([-30, 30], direction / (direction @ direction)).astype(np.float32)
    logarithms = linear.predict_log_proba(far)
    np.testing.assert_allclose(logarithms[0, 1], -30, atol=0.1)
    np.testing.assert_allclose(logarithms[1, 0], -30, atol=0.1)


def test_prediction_leaves_the_input_alone():
    linear = KerasDenseClassifier(depth=0, epochs=2, random_state=0).fit(X, CLASSES)
    before = X.copy()
    linear.predict_proba(X)
    np.testing.assert_array_equal(X, before)


def test_coefs_and_intercepts_are_in_the_target_s_own_units():
    y = 1e6 + 1e3 * Y
    linear = KerasDenseRegressor(depth=0, epochs=5, random_state=0).fit(X, y)
    np.testing.assert_allclose(
        X @ linear.coefs_[0][:, 0] + linear.intercepts_[0], linear.predict(X), rtol=1e-9
    )
    assert linear.coefs_[0].shape == (4, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("units", "parameters"),
    [((128,), "101,770"), ((512, 256, 128, 64), "575,050"), ((512,), "407,050")],
)
def test_summary_counts_parameters_as_keras_does(units, parameters, capsys):
    rng = np.random.default_rng(0)
    pixels, digits = rng.random((20, 784), dtype=np.float32), np.arange(20) % 10
    KerasDenseClassifier(units=units, epochs=1, random_state=0).fit(pixels, digits).summary()
    assert f"Total params: {parameters}" in capsys.readouterr().out


# --- rows and weights of two precisions ----------------------------------------------------


def wide_classifier(dtype="float32", **parameters):
    """Return a network of so many weights that casting them would take longest."""
    settings = {"units": (256, 128), "epochs": 2, "batch_size": 20, "random_state": 0}
    return KerasDenseClassifier(**settings | parameters, dtype=dtype).fit(X, CLASSES)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
def test_a_few_rows_of_another_precision_leave_the_weights_as_they_are(
    dtype, container, monkeypatch
):
    fitted = wide_classifier(dtype, batch_normalization=True)
    other = "float64" if dtype == "float32" else "float32"
    expected = fitted.predict_proba(X.astype(dtype))
    whole = fitted.predict_proba(container(X.astype(other)))

    def cast(*_):
        raise AssertionError("weights were cast")

    monkeypatch.setattr(forward_module, "cast_weights_to_compute", cast)
    some = fitted.predict_proba(container(X.astype(other))[:5])
    for found, rows in ((whole, slice(None)), (some, slice(5))):
        assert found.dtype == other
        np.testing.assert_allclose(found, expected[rows], rtol=1e-5)


def test_probabilities_of_float64_rows_sum_to_1_in_float64():
    fitted = wide_classifier()
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("largest", [1e18, 1e25, 3e38, 1e39, 1e200])
def test_float64_rows_may_be_larger_than_float32_numbers(largest, container):
    fitted = wide_classifier(activation="tanh", depth=2)
    rows = X[:6] * (largest / np.abs(X[:6]).max())
    in_float64 = cast_weights(fitted._fitted.members[0], np.float64)
    expected = forward_module.forward(fitted._fitted.network, in_float64, rows)
    found = fitted.predict_proba(container(rows))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    linear = wide_classifier(activation="linear", depth=2)
    in_float64 = cast_weights(linear._fitted.members[0], np.float64)
    expected = forward_module.forward(linear._fitted.network, in_float64, rows, activate=False)
    found = linear.decision_function(container(rows))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_what_overflows_on_its_way_is_computed_in_float64():
    network = build_network(4, [HiddenLayer(9_000, "exponential", 0.0)], 1, "linear", False)
    kernels = [np.full((4, 9_000), 25.0, np.float32), np.full((9_000, 1), 1e-6, np.float32)]
    zeros = [np.zeros(9_000, np.float32), np.zeros(1, np.float32)]
    dense = [{"kernel": k, "bias": b} for k, b in zip(kernels, zeros, strict=True)]
    found = forward_module.forward(network, (dense[0], {}, dense[1]), np.ones((2, 4)))
    np.testing.assert_allclose(found, 9e-3 * np.exp(100.0), rtol=1e-5)
