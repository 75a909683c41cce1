"""Quantiles: learned at once, never crossing, the same in every view of the network."""

import pickle
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import d2_pinball_score, make_scorer, mean_pinball_loss
from sklearn.model_selection import cross_val_score

import skdense
from skdense import KerasDenseClassifier, KerasDenseRegressor, KerasTabularRegressor
from skdense._estimators.copies import copy_with_fit
from skdense._networks.stages import SortedQuantiles
from skdense._training.losses import PinballLoss
from skdense._training.program import trace_count

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)

LEVELS = (0.1, 0.5, 0.9)
SETTINGS = {"units": 8, "epochs": 6, "batch_size": 32, "random_state": 0, "quantiles": LEVELS}


def draw(n_rows):
    """Return rows and numbers with noise that depends on the second column."""
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((n_rows, 3))
    noise = rng.standard_normal(n_rows) * (1 + np.abs(rows[:, 1]))
    return rows, 5000 + 100 * (rows[:, 0] + noise)


def regressor(**changes):
    return KerasDenseRegressor(**SETTINGS | changes)


X, Y = draw(240)
TARGETS = np.c_[Y, -Y / 1000]


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(X, Y)


@pytest.fixture(scope="module")
def of_two_targets():
    return regressor(n_estimators=2).fit(X, TARGETS)


def test_shapes_are_documented_ones(fitted, of_two_targets):
    assert fitted.predict(X).shape == (240,)
    assert fitted.predict_quantiles(X).shape == (240, 3)
    assert of_two_targets.predict(X).shape == (240, 2)
    assert of_two_targets.predict_quantiles(X).shape == (240, 2, 3)
    assert fitted.n_outputs_ == 3
    assert of_two_targets.n_outputs_ == 6
    assert [w.shape[-1] for w in of_two_targets.coefs_] == [8, 8, 6]


def test_dtype_is_that_of_the_rows(fitted):
    assert fitted.predict_quantiles(X).dtype == np.float64
    assert fitted.predict_quantiles(X.astype(np.float32)).dtype == np.float32


def test_none_crosses_another_wherever_one_looks(fitted, of_two_targets):
    far = 100 * draw(2000)[0]
    for network in (fitted, of_two_targets):
        assert (np.diff(network.predict_quantiles(far), axis=-1) >= 0).all()


def test_unsorted_they_would_cross(fitted):
    kernel, bias = fitted.coefs_[-1], fitted.intercepts_[-1]
    hidden = X @ fitted.coefs_[0] + fitted.intercepts_[0]
    hidden = np.maximum(np.maximum(hidden, 0) @ fitted.coefs_[1] + fitted.intercepts_[1], 0)
    unsorted = hidden @ kernel + bias
    assert (np.diff(unsorted, axis=1) < 0).any()
    assert_allclose(fitted.predict_quantiles(X), np.sort(unsorted, axis=1))


@pytest.mark.slow
def test_they_cover_as_many_rows_as_they_say():
    network = regressor(units=16, epochs=20, quantiles=(0.1, 0.25, 0.5, 0.75, 0.9))
    rows, y = draw(8000)
    network.fit(rows[:5000], y[:5000])
    quantiles = network.predict_quantiles(rows[5000:])
    below = (y[5000:, np.newaxis] <= quantiles).mean(axis=0)
    assert_allclose(below, network.quantiles, atol=0.05)
    width = quantiles[:, -1] - quantiles[:, 0]
    assert np.corrcoef(width, np.abs(rows[5000:, 1]))[0, 1] > 0.8  # as the noise


def test_middle_one_predicts(fitted):
    quantiles = fitted.predict_quantiles(X)
    assert_array_equal(fitted.predict(X), quantiles[:, 1])


@pytest.mark.parametrize(
    ("levels", "middle"), [((0.2, 0.9), [0]), ((0.1, 0.9), [0, 1]), ((0.05, 0.4, 0.6, 0.8), [1, 2])]
)
def test_without_a_median_the_nearest_predict(levels, middle):
    network = regressor(quantiles=levels, epochs=1).fit(X, Y)
    expected = network.predict_quantiles(X)[:, middle].mean(axis=1)
    assert_allclose(network.predict(X), expected, rtol=1e-12)


def test_auto_is_the_pinball_loss_where_there_are_quantiles(fitted):
    named = regressor(loss="pinball").fit(X, Y)
    assert_array_equal(named.predict_quantiles(X), fitted.predict_quantiles(X))


def test_loss_is_that_of_scikit_learn():
    network = regressor(epochs=2, standardize_target=False, l2=0.0)
    small = Y / 1000
    network.fit(X, small, X_val=X, y_val=small)
    quantiles = network.predict_quantiles(X)
    expected = np.mean(
        [
            mean_pinball_loss(small, own, alpha=level)
            for own, level in zip(quantiles.T, LEVELS, strict=True)
        ]
    )
    assert_allclose(network.history_["val_loss"][-1], expected, rtol=1e-5)


def test_one_quantile_is_a_number_or_a_sequence():
    one = regressor(quantiles=0.9).fit(X, Y)
    assert one.predict_quantiles(X).shape == (240, 1)
    assert_array_equal(one.predict_quantiles(X)[:, 0], one.predict(X))
    assert_array_equal(one.predict(X), regressor(quantiles=[0.9]).fit(X, Y).predict(X))


@pytest.mark.slow
def test_one_quantile_does_what_gradient_boosting_does():
    rows, y = draw(2500)
    network = regressor(quantiles=0.9, units=32, epochs=30).fit(rows[:500], y[:500])
    forest = HistGradientBoostingRegressor(loss="quantile", quantile=0.9, random_state=0)
    forest.fit(rows[:500], y[:500])
    ours, theirs = (
        mean_pinball_loss(y[500:], model.predict(rows[500:]), alpha=0.9)
        for model in (network, forest)
    )
    assert ours < theirs
    assert abs((y[500:] <= network.predict(rows[500:])).mean() - 0.9) < 0.06


@pytest.mark.slow
def test_median_is_what_the_absolute_error_finds():
    # Half of it, without penalties and by an optimizer that knows no scale.
    changes = {"l2": 0.0, "optimizer": keras.optimizers.Adam(0.01, epsilon=1e-12)}
    median = regressor(quantiles=0.5, **changes).fit(X, Y)
    absolute = regressor(quantiles=None, loss="mae", **changes).fit(X, Y)
    assert_allclose(median.predict(X), absolute.predict(X), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("changes", [{}, {"n_estimators": 2, "units": 6}])
@pytest.mark.slow
def test_both_engines_agree(dtype, changes):
    weights = np.linspace(0.5, 2, len(Y))
    given = {"dtype": dtype, "epochs": 3} | changes
    one, other = (
        regressor(engine=engine, **given).fit(X, TARGETS, weights)
        for engine in ("compiled", "keras")
    )
    tolerance = {"float32": 1e-5, "float64": 1e-9}[dtype]
    for own, theirs in zip(one.coefs_, other.coefs_, strict=True):
        assert_allclose(own / np.abs(own).max(), theirs / np.abs(own).max(), atol=tolerance)
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-6)


@pytest.mark.slow
def test_weights_of_rows_count():
    of_upper = np.median(Y) < Y
    heavy = regressor(epochs=30).fit(X, Y, 1 + 9 * of_upper)
    plain = regressor(epochs=30).fit(X, Y)
    assert heavy.predict_quantiles(X).mean() > plain.predict_quantiles(X).mean() + 20


def test_weights_all_on_one_row_learn_that_row():
    weights = np.zeros(len(Y))
    weights[3] = 1
    network = regressor(epochs=2).fit(X, Y, weights)
    assert np.isfinite(network.predict_quantiles(X)).all()
    assert_allclose(network.predict_quantiles(X[3:4]), Y[3], rtol=0.01)


@pytest.mark.slow
def test_keras_model_agrees_and_loads_without_skdense(of_two_targets, tmp_path):
    expected = of_two_targets.predict_quantiles(X).reshape(len(X), -1)
    model = of_two_targets.to_keras()
    size = np.abs(expected).max()
    assert_allclose(model.predict(X, verbose=0) / size, expected / size, atol=1e-5)
    path = tmp_path / "quantiles.keras"
    model.save(path)
    np.save(tmp_path / "X.npy", X)
    script = (
        "import keras, numpy as np, sys\n"
        f"model = keras.models.load_model({str(path)!r})\n"
        "assert not any(name.startswith('skdense') for name in sys.modules)\n"
        f"np.save({str(tmp_path / 'found.npy')!r}, "
        f"model.predict(np.load({str(tmp_path / 'X.npy')!r}), verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)  # noqa: S603
    assert_allclose(np.load(tmp_path / "found.npy") / size, expected / size, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_checkpoints_are_in_own_units_and_load(engine, tmp_path):
    path = tmp_path / "network.keras"
    network = regressor(epochs=2, engine=engine, callbacks=keras.callbacks.ModelCheckpoint(path))
    predicted = network.fit(X, Y).predict_quantiles(X)
    assert_allclose(keras.models.load_model(path).predict(X, verbose=0), predicted, rtol=1e-4)


def test_keras_model_is_not_read_back(fitted):
    with pytest.raises(ValueError, match=r"sorted_quantiles|Functional|layers"):
        KerasDenseRegressor.from_keras(fitted.to_keras())


@pytest.mark.slow
def test_onnx_agrees_where_float32_cannot_hold_them():
    rows, y = X.astype(np.float32), X[:, 0] + 1e9
    for levels in (LEVELS, (0.2, 0.8)):
        network = regressor(quantiles=levels).fit(rows, y)
        session = onnxruntime.InferenceSession(skdense.to_onnx(network, rows).SerializeToString())
        predicted, quantiles = session.run(None, {"X": rows})
        assert_allclose(predicted[:, 0] - 1e9, network.predict(rows) - 1e9, atol=1e-4)
        assert_allclose(quantiles - 1e9, network.predict_quantiles(rows) - 1e9, atol=1e-4)


def test_onnx_agrees(fitted, of_two_targets):
    rows = X.astype(np.float32)
    for network in (fitted, of_two_targets):
        converted = skdense.to_onnx(network, rows)
        session = onnxruntime.InferenceSession(converted.SerializeToString())
        assert [output.name for output in session.get_outputs()] == ["variable", "quantiles"]
        predicted, quantiles = session.run(None, {"X": rows})
        assert_allclose(predicted.reshape(network.predict(rows).shape), network.predict(rows), 1e-4)
        assert_allclose(quantiles, network.predict_quantiles(rows), 1e-4)


def test_files_and_pickles_keep_them(fitted, of_two_targets, tmp_path):
    for network in (fitted, of_two_targets):
        network.save(tmp_path / "network.skdense")
        for twin in (
            skdense.load(tmp_path / "network.skdense"),
            pickle.loads(pickle.dumps(network)),  # noqa: S301 - our own
        ):
            assert_array_equal(twin.predict_quantiles(X), network.predict_quantiles(X))
            assert twin.quantiles == LEVELS
            twin.partial_fit(X, TARGETS if network is of_two_targets else Y)


def test_training_goes_on():
    network = regressor(warm_start=True, learning_rate_schedule=None)
    network.fit(X, Y).fit(X, Y)
    assert network.n_iter_ == 12
    with pytest.raises(ValueError, match="contradict: quantiles"):
        network.set_params(quantiles=(0.2, 0.5, 0.9)).fit(X, Y)
    with pytest.raises(ValueError, match="contradict: "):
        network.set_params(quantiles=(0.1, 0.9)).fit(X, Y)
    with pytest.raises(ValueError, match=r"contradict: .*quantiles"):
        network.set_params(quantiles=None).fit(X, Y)
    assert network.predict_quantiles(X).shape == (240, 3)


def test_other_levels_compile_another_program_only_once():
    regressor().fit(X, Y)
    before = trace_count()
    for seed in range(3):
        regressor(random_state=seed, learning_rate=0.002 * (seed + 1)).fit(X, Y)
    assert trace_count() == before


@pytest.mark.slow
def test_early_stopping_folds_and_searches_work():
    network = regressor(early_stopping=True, n_estimators=3, validation_fraction="folds")
    network.fit(X, Y)
    assert min(network.history_["val_loss"]) > 0
    assert network.predict_quantiles(X).shape == (240, 3)
    scores = cross_val_score(regressor(), X, Y, scoring=make_scorer(d2_pinball_score), cv=3)
    assert np.isfinite(scores).all()


@pytest.mark.slow
def test_tables_in_one_line(penguin_masses):
    table, masses = penguin_masses
    network = KerasTabularRegressor(quantiles=(0.05, 0.5, 0.95), random_state=0)
    train = np.arange(len(table)) % 3 > 0
    low, median, high = network.fit(table[train], masses[train]).predict_quantiles(table[~train]).T
    assert 0.8 < ((low <= masses[~train]) & (masses[~train] <= high)).mean() <= 1
    assert np.abs(median - masses[~train]).mean() < 300  # grams


FOLDS = {"n_estimators": 4, "validation_fraction": "folds", "scoring": "calibrated_loss"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [FOLDS, {"early_stopping": True, "scoring": "calibrated_loss", "quantiles": 0.9}]
)
def test_shifted_by_rows_held_out_they_cover_these(changes, tmp_path):
    network = regressor(epochs=10, **changes).fit(X, Y)
    if changes is FOLDS:
        # By the shifts of all folds; `oof_prediction_` has those of others.
        quantiles, y = np.empty((len(Y), len(LEVELS))), Y
        for number, own in enumerate(network._fitted.members):
            held = network.validation_folds_ == number
            alone = copy_with_fit(network, replace(network._fitted, members=(own,)))
            quantiles[held] = alone.predict_quantiles(X[held])
    else:
        rows = network.validation_indices_
        quantiles, y = network.predict_quantiles(X[rows]), Y[rows]
    assert any(network._fitted.network.output.shifts)
    below = (y[:, np.newaxis] <= quantiles * (1 + 1e-7)).mean(axis=0)  # the rows themselves count
    assert_allclose(below, np.atleast_1d(network.quantiles), atol=1 / len(y) + 0.01)
    expected = np.mean(
        [
            mean_pinball_loss(y, own, alpha=level)
            for own, level in zip(quantiles.T, np.atleast_1d(network.quantiles), strict=True)
        ]
    )
    best = network.history_["val_calibrated_loss"][network.best_epoch_ - 1]
    assert_allclose(expected / network._fitted.target.scale[0], best, rtol=1e-5)
    network.save(tmp_path / "network.skdense")
    twin = skdense.load(tmp_path / "network.skdense")
    predicted = network.predict_quantiles(X)
    assert_array_equal(twin.predict_quantiles(X), predicted)
    assert_allclose(network.to_keras().predict(X, verbose=0), predicted, rtol=1e-4)
    rows = X.astype(np.float32)
    session = onnxruntime.InferenceSession(skdense.to_onnx(network, rows).SerializeToString())
    assert_allclose(session.run(None, {"X": rows})[-1], network.predict_quantiles(rows), rtol=1e-4)


@pytest.mark.slow
def test_shifts_keep_their_units_in_a_network_that_is_trained_again():
    settings = {"early_stopping": True, "scoring": "calibrated_loss"}
    shifts = []
    for refit in (False, True):
        network = regressor(refit_full=refit, **settings)
        network.fit(X, Y, X_val=X[:60], y_val=5000 + 10 * (Y[:60] - 5000))
        scale = network._fitted.target.scale[0]
        shifts.append(np.array(network._fitted.network.output.shifts) * scale)
    assert_allclose(*shifts, rtol=1e-6)


def test_quantiles_are_not_shifted_out_of_the_range_of_an_activation():
    settings = {"early_stopping": True, "scoring": "calibrated_loss"}
    with pytest.raises(ValueError, match=r"a linear output allows\. Got output_activation='softp"):
        regressor(output_activation="softplus", **settings).fit(X, Y)


@pytest.mark.parametrize("n_quantiles", [1, 3, 40])
def test_tensors_are_sorted_as_arrays_are(n_quantiles):
    stage = SortedQuantiles("linear", 2, n_quantiles)
    x = np.random.default_rng(0).integers(-3, 3, (50, 2 * n_quantiles)).astype(np.float32)
    assert_array_equal(stage.tensor_function(tf.constant(x)), stage.forward(x, {}))
    with tf.GradientTape() as tape:
        tensor = tf.constant(x)
        tape.watch(tensor)
        weighted = stage.tensor_function(tensor) * np.arange(2.0 * n_quantiles, dtype=np.float32)
    gradient = np.asarray(tape.gradient(weighted, tensor)).reshape(50, 2, -1)
    order = np.argsort(x.reshape(50, 2, -1), axis=2, kind="stable")
    expected = np.arange(2.0 * n_quantiles).reshape(2, -1)
    in_order = np.take_along_axis(gradient, order, axis=2)
    ties = n_quantiles > 32  # tf.sort may order equal numbers otherwise
    assert ties or (in_order == expected).all()
    assert_array_equal(np.sort(gradient, axis=2), np.broadcast_to(expected, gradient.shape))


@pytest.mark.slow
def test_training_goes_on_without_the_shifts():
    settings = FOLDS | {"warm_start": True, "learning_rate_schedule": None, "dtype": "float64"}
    network = regressor(epochs=3, **settings).fit(X, Y).fit(X, Y)
    longer = regressor(epochs=6, **settings).fit(X, Y)
    assert_allclose(network.predict_quantiles(X), longer.predict_quantiles(X), rtol=1e-9)


def test_positive_quantiles_by_an_activation():
    network = regressor(output_activation="softplus").fit(X, Y / 1000)
    assert (network.predict_quantiles(X * 10) >= 0).all()
    model = network.to_keras()
    assert_allclose(model.predict(X, verbose=0), network.predict_quantiles(X), rtol=1e-4)


def test_clones_keep_the_levels():
    network = regressor(quantiles=np.array([0.25, 0.75]))
    assert_array_equal(clone(network).quantiles, [0.25, 0.75])


@pytest.mark.parametrize(
    "quantiles",
    [(0.9, 0.1), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0), (), (np.nan,), ("a",), (0.5, None)],
)
def test_levels_that_are_none_are_refused(quantiles):
    with pytest.raises(ValueError, match=r"quantiles must be numbers between 0 and 1.*increasing"):
        regressor(quantiles=quantiles).fit(X, Y)


@pytest.mark.parametrize("quantiles", [0.0, 1.0, 1.5, "median", True])
def test_numbers_out_of_their_domain_are_refused(quantiles):
    with pytest.raises(ValueError, match="quantiles"):
        regressor(quantiles=quantiles).fit(X, Y)


@pytest.mark.parametrize("loss", ["mse", keras.losses.Huber(), lambda y, p: (y - p) ** 2])
def test_another_loss_is_refused(loss):
    with pytest.raises(ValueError, match="quantiles are learned by loss='pinball'"):
        regressor(loss=loss).fit(X, Y)


def test_pinball_needs_quantiles_and_numbers():
    with pytest.raises(ValueError, match=r"quantiles that a regressor is asked for\. Got none"):
        regressor(loss="pinball", quantiles=None).fit(X, Y)
    with pytest.raises(ValueError, match=r"quantiles that a regressor is asked for\. Got none"):
        KerasDenseClassifier(loss="pinball").fit(X, Y > 5000)
    with pytest.raises(TypeError, match="quantiles"):
        KerasDenseClassifier(quantiles=(0.1, 0.9))


def test_activations_of_all_outputs_together_are_refused():
    with pytest.raises(ValueError, match="output_activation of each output by itself"):
        regressor(output_activation="softmax").fit(X, Y)


def test_metrics_of_one_prediction_are_refused():
    with pytest.raises(ValueError, match=r"targets of 1 column\(s\) for 3 output\(s\)"):
        regressor(metrics=["mae"]).fit(X, Y)


def test_without_quantiles_there_is_no_such_method(fitted):
    plain = KerasDenseRegressor(epochs=1).fit(X, Y)
    for network in (plain, KerasDenseRegressor()):
        assert not hasattr(network, "predict_quantiles")
    with pytest.raises(AttributeError, match="predict_quantiles"):
        plain.predict_quantiles(X)
    assert hasattr(regressor(), "predict_quantiles")
    # What it has learned counts, whatever parameters say since.
    assert hasattr(clone(plain).set_params(quantiles=0.5), "predict_quantiles")
    assert not hasattr(plain.set_params(quantiles=0.5), "predict_quantiles")


def test_loss_compares_by_its_levels():
    assert PinballLoss((0.1, 0.9)) == PinballLoss((0.1, 0.9)) != PinballLoss((0.1, 0.8))
