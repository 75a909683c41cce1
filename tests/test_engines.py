"""The compiled engine against its oracle, ``keras.Model.fit``: same start, same batches."""

import keras
import numpy as np
import pytest

from skdense import KerasDenseClassifier, KerasDenseRegressor, SlowEngineWarning
from skdense._networks.numpy_activations import NUMPY_ACTIVATIONS

schedules = keras.optimizers.schedules

# Short last batches: 50 rows in batches of 16.
N_ROWS, BATCH_SIZE, EPOCHS = 50, 16, 3

TOLERANCES = {"float64": 1e-9, "float32": 1e-5}

OPTIMIZERS = {
    "sgd": "sgd",
    "sgd_momentum": keras.optimizers.SGD(0.05, momentum=0.9),
    "sgd_nesterov": keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "rmsprop": "rmsprop",
    "rmsprop_momentum": keras.optimizers.RMSprop(0.002, momentum=0.5),
    "rmsprop_centered": keras.optimizers.RMSprop(0.002, rho=0.8, centered=True),
    "rmsprop_all": keras.optimizers.RMSprop(0.002, momentum=0.5, centered=True, epsilon=1e-5),
    "adam": "adam",
    "adam_constants": keras.optimizers.Adam(beta_1=0.8, beta_2=0.95, epsilon=1e-5),
    "amsgrad": keras.optimizers.Adam(0.01, amsgrad=True),
    "adamw": "adamw",
    "nadam": "nadam",
    "nadam_constants": keras.optimizers.Nadam(0.01, beta_1=0.8, beta_2=0.95),
}
CLIPPINGS = {
    "clipnorm": {"clipnorm": 0.05},
    "clipnorm_of_optimizer": {"optimizer": keras.optimizers.SGD(0.1, clipnorm=0.05)},
    "global_clipnorm": {"optimizer": keras.optimizers.SGD(0.1, global_clipnorm=0.05)},
    "clipvalue": {"optimizer": keras.optimizers.SGD(0.1, clipvalue=0.01)},
}
SCHEDULES = {
    "exponential": schedules.ExponentialDecay(0.05, decay_steps=4, decay_rate=0.5),
    "staircase": schedules.ExponentialDecay(0.05, 4, 0.5, staircase=True),
    "piecewise": schedules.PiecewiseConstantDecay([3, 6], [0.05, 0.01, 0.001]),
    "polynomial": schedules.PolynomialDecay(0.05, 8),
    "inverse_time": schedules.InverseTimeDecay(0.05, 4, 0.5),
    "cosine": schedules.CosineDecay(0.05, 10),
    "cosine_warm_up": schedules.CosineDecay(0.0, 10, warmup_target=0.05, warmup_steps=4),
    "cosine_restarts": schedules.CosineDecayRestarts(0.05, 4),
}
CLASS_LOSSES = {
    "auto": "auto",
    "categorical": "categorical_crossentropy",
    "sparse": "sparse_categorical_crossentropy",
    "smoothed": keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    "from_logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "focal": "categorical_focal_crossentropy",
    "one_against_rest": "binary_crossentropy",
    "squared_error": "mse",
    "divergence": "kl_divergence",
    "hinge": "categorical_hinge",
    "sum": keras.losses.CategoricalCrossentropy(reduction="sum"),
    "mean_with_weights": keras.losses.CategoricalCrossentropy(reduction="mean_with_sample_weight"),
    "function": lambda y_true, y_pred: keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 1.5, -1),
}
ACTIVATIONS = tuple(sorted(NUMPY_ACTIVATIONS))
NUMBER_LOSSES = ["mse", "mae", "huber", "log_cosh", "poisson", "mape", "msle"]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, 5))
    y = X @ rng.standard_normal(5) + 0.1 * rng.standard_normal(N_ROWS)
    return X, y


def three_classes(y):
    return np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))


def assert_engines_agree(kind, X, y, sample_weight=None, dtypes=TOLERANCES, **changes):
    """Fit with both engines in both dtypes; weights and history must be the same."""
    parameters = {"units": (7, 6), "activation": "tanh", "batch_size": BATCH_SIZE}
    parameters |= {"epochs": EPOCHS, "random_state": 0} | changes
    for dtype in dtypes:
        tolerance = TOLERANCES[dtype]
        compiled = kind(**parameters, dtype=dtype, engine="compiled").fit(X, y, sample_weight)
        oracle = kind(**parameters, dtype=dtype, engine="keras").fit(X, y, sample_weight)
        for own, other in zip(flat_weights(compiled), flat_weights(oracle), strict=True):
            np.testing.assert_allclose(own, other, rtol=tolerance, atol=tolerance)
        # Keras sums its history in float32 whatever the dtype.
        np.testing.assert_allclose(compiled.loss_curve_, oracle.loss_curve_, rtol=2e-5)
        assert (compiled.engine_, oracle.engine_) == ("compiled", "keras")


def flat_weights(estimator):
    return [array for stage in estimator._fitted.members[0] for array in stage.values()]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_optimizers(table, optimizer):
    assert_engines_agree(KerasDenseRegressor, *table, optimizer=optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("changes", CLIPPINGS.values(), ids=CLIPPINGS)
def test_clipping(table, changes):
    assert_engines_agree(KerasDenseRegressor, *table, **changes)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_learning_rate_schedules(table, schedule):
    assert_engines_agree(KerasDenseRegressor, *table, optimizer="sgd", learning_rate=schedule)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "nadam"])
def test_weight_decay(table, optimizer):
    assert_engines_agree(KerasDenseRegressor, *table, optimizer=optimizer, weight_decay=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("loss", CLASS_LOSSES.values(), ids=CLASS_LOSSES)
def test_classification_losses(table, loss):
    X, y = table
    assert_engines_agree(KerasDenseClassifier, X, three_classes(y), loss=loss)


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss", ["auto", "hinge", "squared_hinge", "mse", "binary_focal_crossentropy"]
)
def test_two_class_losses(table, loss):
    X, y = table
    assert_engines_agree(KerasDenseClassifier, X, y > 0, loss=loss)


@pytest.mark.slow
@pytest.mark.parametrize("loss", NUMBER_LOSSES)
def test_regression_losses(table, loss):
    X, y = table
    assert_engines_agree(KerasDenseRegressor, X, np.abs(y) + 1, loss=loss)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, len(ACTIVATIONS), 3), ids=ACTIVATIONS[::3])
def test_activations(table, first):
    activations = ACTIVATIONS[first : first + 3]  # of one network: it takes a while to compile
    units = (7,) * len(activations)
    assert_engines_agree(KerasDenseRegressor, *table, activation=activations, units=units)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"l1": 0.01}, {"l2": 0.01}, {"l1": 0.01, "l2": 0.02, "depth": 0, "units": 1}],
    ids=str,
)
def test_penalties(table, changes):
    assert_engines_agree(KerasDenseRegressor, *table, **changes)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"l2": 0.01}], ids=str)
def test_batch_normalization(table, changes):
    changes |= {"batch_normalization": True, "optimizer": "sgd"}
    assert_engines_agree(KerasDenseRegressor, *table, **changes)


@pytest.mark.slow
def test_batch_normalization_under_adam(table):
    # In float64 only: the gradient of a bias before a normalization is 0 but for rounding,
    # which Adam scales up to whole steps, in either engine.
    assert_engines_agree(KerasDenseRegressor, *table, batch_normalization=True, dtypes=["float64"])


@pytest.mark.slow
@pytest.mark.parametrize("n_rows", [8, 16, 33, 50])
def test_short_last_batch(table, n_rows):
    X, y = table
    assert_engines_agree(KerasDenseRegressor, X[:n_rows], y[:n_rows])


@pytest.mark.slow
def test_unshuffled_rows(table):
    assert_engines_agree(KerasDenseRegressor, *table, shuffle=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss", ["auto", keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")]
)
def test_sample_weights(table, loss):
    X, y = table
    weights = np.random.default_rng(1).integers(0, 4, N_ROWS)
    assert_engines_agree(KerasDenseRegressor, X, y, weights, loss=loss)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse", "cosine_similarity"])
def test_multi_output_regression(table, loss):
    X, y = table
    y = np.column_stack([y, X[:, 0] * 1000])
    assert_engines_agree(KerasDenseRegressor, X, y, loss=loss)


@pytest.mark.slow
def test_many_chunks_an_epoch_and_many_epochs_a_chunk_are_the_same(table, monkeypatch):
    X, y = table
    network = KerasDenseRegressor(units=8, epochs=5, batch_size=8, dropout=0.3, random_state=0)
    one_chunk = network.fit(X, y).predict(X)
    monkeypatch.setattr("skdense._training.batches._MOST_STEPS", 3)
    many_chunks = network.fit(X, y).predict(X)
    np.testing.assert_array_equal(many_chunks, one_chunk)


@pytest.mark.parametrize("verbose", [1, 2])
def test_keras_engine_reports_epochs_as_the_compiled_one(table, capsys, verbose):
    printed = []
    for engine in ("compiled", "keras"):
        network = KerasDenseRegressor(units=4, epochs=2, verbose=verbose, engine=engine)
        network.set_params(random_state=0).fit(*table)
        printed.append(capsys.readouterr().out)
    for text in printed:
        assert "2/2" in text
        assert "loss: " in text


def test_fallback_on_keras_trains_and_warns(table):
    network = KerasDenseRegressor(units=4, epochs=2, optimizer="adagrad", random_state=0)
    with pytest.warns(SlowEngineWarning, match="Adagrad has no compiled update rule"):
        network.fit(*table)
    assert network.engine_ == "keras"
    assert network.predict(table[0]).shape == (N_ROWS,)
