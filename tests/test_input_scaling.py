"""``input_scaling="robust"``: medians and quartiles in the network, and in every view of it."""

import keras
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

import skdense
from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._networks.stages import RobustScaling
from skdense._networks.stages.quantiles import thin_out
from skdense._training.program import trace_count

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)
RNG = np.random.default_rng(0)
N = RNG.standard_normal((150, 3))
# Far from 0 and from each other in scale; a column of few values, and a constant one.
X = np.c_[N * [1, 50, 0.01] + [0, 2000, 5], np.arange(150) % 10 == 0, np.full(150, 7.0)]
Y = np.tanh(N @ [1.0, -0.5, 0.3]) + 0.1 * RNG.standard_normal(150)
CLASSES = np.array(list("abc"))[np.digitize(Y, [-0.3, 0.3])]
SETTINGS = {"units": 8, "epochs": 5, "batch_size": 32, "random_state": 0}
SETTINGS |= {"input_scaling": "robust"}
SETTINGS |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before


def regressor(**changes):
    return KerasDenseRegressor(**SETTINGS | changes)


def scaling_of(network, member=0):
    return network._fitted.members[member][0]


def by_hand(rows, reference=X):
    shares, method = [0.25, 0.5, 0.75], "averaged_inverted_cdf"
    low, median, high = np.quantile(reference, shares, axis=0, method=method)
    spread = np.ptp(reference, axis=0)
    divisor = np.where(high > low, high - low, spread / 2)
    z = (rows - median) * np.where(divisor > 0, 1 / np.where(divisor > 0, divisor, 1), 0)
    return z / np.sqrt(1 + (z / 3) ** 2)


def test_columns_are_scaled_by_the_formula():
    network = regressor(dtype="float64").fit(X, Y)
    plain = KerasDenseRegressor(**SETTINGS | {"input_scaling": None, "dtype": "float64"})
    assert_allclose(network.predict(X), plain.fit(by_hand(X), Y).predict(by_hand(X)), rtol=1e-9)
    assert scaling_of(network)["scale"][4] == 0
    assert_allclose(scaling_of(network)["scale"][3], 2.0)


@pytest.mark.filterwarnings("error")
def test_no_scale_is_warned_of():
    regressor().fit(X * 1000, Y)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "changes", [{}, {"early_stopping": True}, {"n_estimators": 3, "validation_fraction": "folds"}]
)
def test_both_engines_agree(dtype, changes):
    compiled = regressor(dtype=dtype, **changes).fit(X, Y)
    by_keras = regressor(dtype=dtype, engine="keras", **changes).fit(X, Y)
    tolerance = 1e-5 if dtype == "float32" else 1e-9
    assert_allclose(compiled.predict(X), by_keras.predict(X), rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("kind", [KerasDenseRegressor, KerasDenseClassifier])
def test_every_view_has_it(kind, members, tmp_path):
    y = Y if kind is KerasDenseRegressor else CLASSES
    network, rows = kind(**SETTINGS, n_estimators=members).fit(X, y), X.astype(np.float32)

    def answers(estimator):
        return getattr(estimator, "predict_proba", estimator.predict)(rows)

    expected = answers(network)
    network.to_keras().save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert {type(layer).__module__.partition(".")[0] for layer in model.layers} == {"keras"}
    assert_allclose(np.reshape(model(rows), expected.shape), expected, rtol=1e-4, atol=1e-5)
    given = {} if kind is KerasDenseRegressor else {"classes": network.classes_}
    again = kind.from_keras(model, **given)
    assert again.input_scaling == "robust"
    assert_allclose(answers(again), expected, rtol=1e-4, atol=1e-5)
    again.set_params(warm_start=True, epochs=1).fit(X, y)
    session = onnxruntime.InferenceSession(skdense.to_onnx(network, rows).SerializeToString())
    *_, outputs = session.run(None, {session.get_inputs()[0].name: rows})
    assert_allclose(np.reshape(outputs, expected.shape), expected, rtol=1e-4, atol=1e-5)
    network.save(tmp_path / "network.skdense")
    assert_array_equal(answers(skdense.load(tmp_path / "network.skdense")), expected)
    assert "RobustScaling, 5 columns" in network._repr_html_()


def test_weights_and_held_out_rows_count():
    weights = np.where(np.arange(150) < 50, 1.0, 0.0)
    weighted = regressor(epochs=1).fit(X, Y, sample_weight=weights)
    assert_allclose(scaling_of(weighted)["center"], np.median(X[:50], axis=0), rtol=1e-6)
    counts = np.arange(150) % 4
    counted = regressor(epochs=1).fit(X, Y, sample_weight=counts)
    repeated = regressor(epochs=1).fit(np.repeat(X, counts, axis=0), np.repeat(Y, counts))
    for name in ("center", "scale"):
        assert_allclose(scaling_of(counted)[name], scaling_of(repeated)[name], rtol=1e-6)
    folds = regressor(n_estimators=3, validation_fraction="folds").fit(X, Y)
    for member in range(3):
        own = X[folds.validation_folds_ != member]
        assert_allclose(scaling_of(folds, member)["center"], np.median(own, axis=0), rtol=1e-6)


def test_training_goes_on_with_the_first_medians():
    network = regressor(warm_start=True).fit(X, Y)
    center = scaling_of(network)["center"]
    network.fit(X + 100, Y)
    assert_array_equal(scaling_of(network)["center"], center)
    stream = regressor().partial_fit(X[:60], Y[:60]).partial_fit(X[60:], Y[60:])
    assert_allclose(scaling_of(stream)["center"], np.median(X[:60], axis=0), rtol=1e-6)
    with pytest.raises(ValueError, match="contradict: input_scaling"):
        network.set_params(input_scaling=None).fit(X, Y)


def test_other_rows_compile_nothing():
    regressor().fit(X, Y)
    before = trace_count()
    regressor(random_state=1).fit(X * 3 + 1, Y)
    assert trace_count() == before


def test_callers_rows_stay_as_they_are():
    rows, table = X.copy(), pd.DataFrame(X)
    network = regressor().fit(rows, Y)
    network.predict(rows), network.predict(table)
    assert_array_equal(rows, X)
    assert_array_equal(table.to_numpy(), X)


def test_outliers_are_clipped():
    network = regressor(depth=0, dtype="float64").fit(X, Y)
    far = X[:1].copy()
    far[0, 0] = 1e12
    further = far * [1e3, 1, 1, 1, 1]
    assert_allclose(network.predict(far), network.predict(further), rtol=1e-9)


def test_sparse_rows_are_refused():
    with pytest.raises(ValueError, match=r"sparse rows have no room for\. Got sparse X"):
        regressor().fit(scipy.sparse.csr_array(X), Y)


def test_other_names_are_errors():
    with pytest.raises(ValueError, match="'input_scaling' parameter"):
        regressor(input_scaling="standard").fit(X, Y)


@pytest.mark.parametrize("n_rows", [2, 3])
def test_few_rows_are_enough(n_rows):
    assert np.isfinite(regressor().fit(X[:n_rows], Y[:n_rows]).predict(X)).all()


def test_huge_and_tiny_columns_give_numbers():
    wild = np.c_[X[:, 0] * 1e300, X[:, 0] * 1e-310, X[:, 0]]
    network = regressor(dtype="float64").fit(wild, Y)
    assert np.isfinite(network.predict(wild)).all()


def test_a_file_with_a_negative_scale_is_refused(tmp_path):
    network = clone(regressor()).fit(X, Y)
    scaling_of(network)["scale"][0] = -1
    with pytest.raises(ValueError, match="does not fit the rest"):
        network.save(tmp_path / "network.skdense")


def test_the_stage_says_what_it_is():
    stage = RobustScaling(4)
    assert stage.description == "RobustScaling, 4 columns"
    with pytest.raises(ValueError, match="4 columns gets 5"):
        stage.width_out(5)


# --- columns far from 0, or of any magnitude -----------------------------------------------


def test_rows_of_long_columns_are_sampled_at_random():
    sensors = np.arange(420_000) % 2  # interleaved, around 0 and 10
    x = (10 * sensors + np.random.default_rng(0).standard_normal(len(sensors)))[:, np.newaxis]
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    weights = RobustScaling(1).fit(x, None)
    assert 1 < weights["center"][0] < 9
    assert_allclose(weights["scale"], 0.1, rtol=0.02)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    again = RobustScaling(1).fit(x, np.ones(len(x)))  # weights are sampled with their rows
    assert_array_equal(again["center"], weights["center"])


def test_quantiles_neither_overflow_nor_cancel():
    largest = np.finfo(float).max
    x = np.array([[-largest, 1e15 + k, largest, k * 5e-324] for k in range(100)] + 100 * [[0] * 4])
    x[100:] = np.array([largest, 1e15, largest, 0])
    weights = RobustScaling(4).fit(x, None)
    assert np.isfinite(weights["center"]).all()
    assert 0 < weights["scale"][0] < 1e-307
    assert_allclose(weights["scale"][1], 1 / 49.5, rtol=0.02)
    assert_array_equal(weights["scale"][2:], 0)  # a constant, and one of subnormal numbers
    z = RobustScaling(4).forward(x.copy(), weights)
    assert (np.abs(z) <= 3).all()


@pytest.mark.parametrize(("offset", "dtype"), [(2_000, "float32"), (1.7e9, "float64")])
def test_training_keeps_the_digits_of_far_columns(offset, dtype):
    network = regressor().fit(N + offset, Y)
    assert network._fitted.dtype == dtype
    assert_allclose(scaling_of(network)["center"], np.median(N + offset, axis=0), rtol=1e-7)


def test_a_dtype_of_the_user_holds_for_far_columns():
    assert regressor(dtype="float32").fit(N + 1.7e9, Y)._fitted.dtype == "float32"


def test_scaled_columns_are_rounded_alike_whatever_the_network_computes_in():
    stage = RobustScaling(3)
    weights = stage.fit(N, None)
    z = stage.forward(N.copy(), weights)
    assert_array_equal(z, z.astype(np.float32))
    exact = RobustScaling(3, is_exact=True).forward(N.copy(), weights)
    assert (exact != z).any()
    assert_allclose(exact, z, rtol=1e-7)


@pytest.mark.parametrize(("n_columns", "n_rows"), [(20, 200_000), (100, 41_943), (1_000, 20_000)])
def test_wide_tables_are_sampled_by_fewer_rows(n_columns, n_rows):
    x = np.broadcast_to(np.float32(1), (1_000_000, n_columns))
    assert len(thin_out(x, None)[0]) == n_rows
    assert len(thin_out(x, np.ones(len(x)))[1]) == n_rows
