"""Unknown, missing and infrequent categories: three different things, the same in every view."""

import copy
import pickle
from dataclasses import replace

import keras
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.preprocessing import OneHotEncoder

import skdense
from skdense import KerasDenseClassifier, KerasTabularClassifier, KerasTabularRegressor
from skdense._networks.forward import forward
from skdense._networks.keras_reading import read_model
from skdense._networks.keras_view import build_model, get_weights
from skdense._networks.network import Network, fit_weights, start_weights
from skdense._networks.onnx_operators import Operators
from skdense._networks.stages import Activation, Categories, Dense, PiecewiseLinear
from skdense._tables.categories import UNKNOWN, learn_category

# Keras 3.15 and NumPy 2 disagree about it where a Normalization layer is saved.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)

RNG = np.random.default_rng(0)
SMALL = {"units": 8, "depth": 1, "n_estimators": 2, "epochs": 4, "random_state": 0}


# --- what is learned of a column --------------------------------------------------------------


def learn(values, min_frequency=1, max_categories=None, sample_weight=None):
    limits = {"min_frequency": min_frequency, "max_categories": max_categories}
    weights = None if sample_weight is None else np.asarray(sample_weight, float)
    return learn_category(0, values, "x", **limits, sample_weight=weights)


@pytest.mark.parametrize("max_categories", [None, 1, 2, 3, 5, 20])
@pytest.mark.parametrize("min_frequency", [1, 3, 9, 0.05, 0.2])
@pytest.mark.parametrize("has_missing", [False, True])
def test_infrequent_categories_are_those_of_one_hot_encoder(
    min_frequency, max_categories, has_missing
):
    values = [*"abcdefg"] * 2 + [*"ccdeefff"] * 3 + [None] * 2 * has_missing
    RNG.shuffle(values)
    category = learn(values, min_frequency, max_categories)
    encoder = OneHotEncoder(min_frequency=min_frequency, max_categories=max_categories)
    encoder.fit(np.array([values], object).T)
    [infrequent] = encoder.infrequent_categories_
    infrequent = [] if infrequent is None else infrequent.tolist()
    frequent = [value for value in encoder.categories_[0] if value not in infrequent]
    assert [*category.values] + [None] * category.has_missing == frequent
    assert category.has_infrequent == bool(infrequent)
    assert max_categories is None or category.n_codes <= max_categories
    assert_array_equal(category.code(infrequent, "x"), [category.n_codes - 1] * len(infrequent))


def test_as_many_categories_as_the_limit_are_not_merged():
    assert not learn([*"aabbc"], max_categories=3).has_infrequent


@pytest.mark.parametrize(
    ("values", "missing", "unknown"),
    [
        ([*"aabbcc"], UNKNOWN, UNKNOWN),
        ([*"aabbcc", None, None], 3, UNKNOWN),
        ([*"aabbc"], 2, 2),  # there are infrequent ones
        ([*"aabbc", None, None], 2, 3),
        ([*"aabb", None], 2, 2),  # the missing one is the infrequent one
    ],
)
def test_missing_and_unknown_categories_have_each_their_code(values, missing, unknown):
    category = learn(values, min_frequency=2)
    assert_array_equal(category.code([None, "new", ""], "x"), [missing, unknown, missing])


def test_frequencies_count_weights_and_infrequency_counts_rows():
    values = [*"aaab", None, np.nan]
    assert_allclose(learn(values).frequencies, [3 / 6, 1 / 6, 2 / 6])
    category = learn(values, min_frequency=2, sample_weight=[1, 1, 2, 5e307, 5e307, 0])
    assert [*category.values] == ["a"]
    assert_allclose(category.frequencies, [0, 1 / 2, 1 / 2], atol=1e-300)


# --- the stage in every view --------------------------------------------------------------------

SIZES = 3, 1, 5, 24, 4, 20


def make_network(sizes=SIZES):
    """A network behind columns of codes, fitted to weighted rows; code 2 has none of them."""
    n_columns = 2 + len(sizes)
    stage = Categories(n_columns, sizes, n_units=4, most_indicators=16)
    layers = stage, Dense(stage.width_out(n_columns), 3)
    network = Network(n_columns, layers, Activation("linear"))

    class Draws:
        kernel = staticmethod(RNG.standard_normal)

        @staticmethod
        def uniform(shape, limit):
            return RNG.uniform(-limit, limit, shape)

    codes = np.stack([RNG.integers(0, size, 100) for size in sizes], axis=1)
    codes[codes == 2] = 0
    X = np.column_stack([RNG.standard_normal((100, 2)), codes])
    sample_weight = RNG.uniform(0, 2, 100)
    weights = fit_weights(network, start_weights(network, Draws()), X, sample_weight)
    return network, weights, X, sample_weight


@pytest.fixture(scope="module")
def made():
    return make_network()


def unknown_rows(sizes=SIZES, n_rows=60):
    codes = [RNG.integers(-1, size, n_rows) for size in sizes]
    return np.column_stack([RNG.standard_normal((n_rows, 2)), *codes])


def test_an_unknown_category_is_the_mean_of_the_training_rows(made):
    network, weights, X, sample_weight = made
    stage, own = network.stages[0], weights[0]
    mean = np.average(stage.forward(X, own), axis=0, weights=sample_weight)
    unknown = np.full((1, X.shape[1]), -1.0)
    assert_allclose(stage.forward(unknown, own)[0, 2:], mean[2:], rtol=1e-12)
    # The mean row has the mean of a linear network's outputs.
    outputs = np.average(forward(network, weights, X), axis=0, weights=sample_weight)
    unknown[0, :2] = np.average(X[:, :2], axis=0, weights=sample_weight)
    assert_allclose(forward(network, weights, unknown)[0], outputs, rtol=1e-12)


def test_a_code_without_a_training_row_is_unknown(made):
    network, weights, X, _ = made
    rows = X[:1].repeat(2, axis=0)
    rows[:, 2:] = [[2], [-1]]
    rows[:, 3] = 0
    one, other = network.stages[0].forward(rows, weights[0])
    assert_array_equal(one, other)


@pytest.mark.parametrize("sizes", [SIZES, (3,), (20,)], ids=str)
def test_every_view_of_the_stage_agrees(sizes, tmp_path):
    network, weights, *_ = make_network(sizes)
    stage, own, rows = network.stages[0], weights[0], unknown_rows(sizes)
    expected = stage.forward(rows, own)
    tensors = {name: tf.constant(np.stack([array, array])) for name, array in own.items()}
    traced, moved = stage.trace(tf.constant(rows[np.newaxis]), tensors, None)
    assert moved == {}
    assert_allclose(traced, np.stack([expected, expected]), atol=1e-12)
    assert_allclose(run_onnx(stage, own, rows), expected, atol=1e-12)
    model = build_model(network, weights, dtype="float64")
    outputs = forward(network, weights, rows)
    assert_allclose(model(rows), outputs, atol=1e-12)
    for name, array in get_weights(model, network)[0].items():
        assert_array_equal(array, own[name])
    model.save(tmp_path / "model.keras")
    read = read_model(keras.saving.load_model(tmp_path / "model.keras"))
    assert type(read[0].stages[0]) is Categories
    assert_allclose(forward(*read, rows), outputs, atol=1e-12)


def run_onnx(stage, weights, rows):
    from skl2onnx.algebra.onnx_ops import OnnxIdentity
    from skl2onnx.common.data_types import DoubleTensorType

    node = stage.onnx_graph(Operators(18, np.float64), weights, "X")
    named = OnnxIdentity(node, output_names=["outputs"], op_version=18)
    types = [("outputs", DoubleTensorType([None, None]))]
    model = named.to_onnx({"X": rows}, outputs=types, target_opset=18)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"X": rows})[0]


def test_gradients_reach_the_vectors_of_training_rows_alone(made):
    network, weights, X, _ = made
    stage = network.stages[0]
    tensors = {name: tf.constant(array[np.newaxis]) for name, array in weights[0].items()}
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs, _ = stage.trace(tf.constant(X[np.newaxis]), tensors, None)
    gradient = tf.convert_to_tensor(tape.gradient(outputs, tensors["vectors_3"]))[0]
    codes, counts = np.unique(X[:, 5].astype(int), return_counts=True)
    assert_allclose(gradient[:, 0], np.bincount(codes, counts, 24))


def test_rows_are_not_embedded_to_count_categories(monkeypatch):
    """Stages before it would take as long for that as a prediction of all rows."""
    embedding = PiecewiseLinear(3, (0,), 2, 4)
    stage = Categories(4, (3,), 2, 16)
    network = Network(3, (embedding, stage, Dense(6, 1)), Activation("linear"))
    monkeypatch.setattr(PiecewiseLinear, "forward", lambda *_: pytest.fail("rows were embedded"))
    X = np.column_stack([RNG.standard_normal((40, 2)), [0, 1, 2, 2] * 10])
    [_, own, _] = fit_weights(network, ({}, {}, {}), X, None)
    assert_allclose(own["frequencies"], [1 / 4, 1 / 4, 1 / 2])


@pytest.mark.parametrize(
    ("n_columns", "sizes"), [(3, (2000,)), (3, (1025, 2)), (1, (2, 2)), (3, ())], ids=str
)
def test_stages_that_no_fit_makes_are_not_sound(n_columns, sizes):
    assert not Categories(n_columns, sizes, n_units=4, most_indicators=5000).is_sound


# --- estimators -----------------------------------------------------------------------------------

N = 600


def make_table():
    """A category of 95 % and two of few rows, a pair of 97 % and 3 %, and one of 20 values."""
    return pd.DataFrame(
        {
            "size": RNG.standard_normal(N),
            "plan": RNG.permutation(["a"] * 570 + ["b"] * 18 + ["c"] * 12),
            "is_new": RNG.permutation([False] * 582 + [True] * 18),
            "shop": RNG.permutation([f"shop {n % 20}" for n in range(N)]),
            "gap": np.where(np.arange(N) % 9, 1.0 * RNG.integers(0, 5, N), np.nan),
        }
    )


TABLE = make_table()
Y = RNG.random(N) < np.where(TABLE["plan"] == "a", 0.1, 0.9)


@pytest.fixture(scope="module")
def classifier():
    return KerasTabularClassifier(**SMALL | {"epochs": 30}).fit(TABLE, Y)


def change(**columns):
    return TABLE.head(40).astype({"is_new": object}).assign(**columns)


@pytest.mark.slow
@pytest.mark.parametrize("value", ["new", None])
def test_an_unknown_or_missing_category_is_near_the_mean_rate(classifier, value):
    rows = TABLE.assign(plan=pd.Series([value] * N, dtype=object))
    probabilities = classifier.predict_proba(rows)[:, 1]
    assert abs(probabilities.mean() - Y.mean()) < 0.03
    assert classifier.predict_proba(TABLE[TABLE["plan"] != "a"])[:, 1].mean() > 0.3


@pytest.mark.slow
def test_an_unknown_category_is_the_mean_in_every_view(classifier, tmp_path):
    rows = change(plan="new", shop="new", is_new=None)
    matrix = classifier.encode(rows)
    assert_array_equal(matrix[:, -2:], -1)
    assert_allclose(matrix[:, 1], 2 * TABLE["is_new"].mean() - 1)
    expected = classifier.predict_proba(rows)
    classifier.save(tmp_path / "model.skdense")
    pickled = pickle.loads(pickle.dumps(classifier))  # noqa: S301 - its own
    for twin in (skdense.load(tmp_path / "model.skdense"), pickled):
        assert_array_equal(twin.predict_proba(rows), expected)
    model = classifier.to_keras()
    assert_allclose(np.ravel(model(matrix)), expected[:, 1], atol=1e-6)
    again = KerasDenseClassifier.from_keras(model)
    assert_allclose(again.predict_proba(matrix), expected, atol=1e-6)
    session = onnxruntime.InferenceSession(skdense.to_onnx(classifier, TABLE).SerializeToString())
    dtypes = {"tensor(string)": object, "tensor(double)": np.float64, "tensor(float)": np.float32}
    inputs = {
        given.name: rows[[given.name]].astype(dtypes[given.type]).to_numpy()
        for given in session.get_inputs()
    }
    _, probabilities = session.run(None, inputs)
    assert_allclose(probabilities, expected, atol=1e-6)


@pytest.mark.slow
def test_each_member_counts_the_rows_that_it_trains_on(classifier):
    folds = classifier.validation_folds_
    for fold, [_, _, own, *_] in enumerate(classifier._fitted.members):
        trained = TABLE["plan"][folds != fold]
        shares = trained.value_counts(normalize=True).sort_index()
        assert_allclose(own["frequencies"][:3], shares, rtol=1e-6)


@pytest.mark.slow
def test_names_of_the_encoded_columns(classifier):
    names = ["size", "is_new_True", "gap", "missingindicator_gap", "plan", "shop"]
    assert classifier.get_feature_names_out().tolist() == names
    assert classifier.encode(TABLE).shape[1] == len(names)
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        classifier.get_feature_names_out([*"abcde"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skdense.FeatureTypeWarning")  # most shops are infrequent
def test_summary_says_what_unknown_categories_become(classifier, capsys):
    classifier.summary()
    printed = capsys.readouterr().out
    assert "plan: a category of 3 texts; unknown or missing: their mean" in printed
    assert "is_new: -1 or 1, of 2 booleans; unknown or missing: -0.94" in printed
    merged = clone(classifier).set_params(min_frequency=15, max_categories=4, epochs=1)
    merged.fit(TABLE.assign(shop=TABLE["shop"].where(TABLE["size"] < 1)), Y).summary()
    printed = capsys.readouterr().out
    assert "plan: a category of 2 texts, infrequent; unknown or missing: infrequent" in printed
    assert "shop: a category of 2 texts, missing, infrequent; unknown: infrequent" in printed


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"min_frequency": 0}, r"min_frequency.*int in the range \[1, .*float in the range \(0"),
        ({"min_frequency": 1.0}, "min_frequency"),
        ({"min_frequency": None}, "min_frequency.*Got None"),
        ({"max_categories": 0}, r"max_categories.*int in the range \[1, .*or None. Got 0"),
        ({"max_categories": 2.5}, "max_categories"),
    ],
    ids=str,
)
def test_limits_that_cannot_be(changes, match):
    with pytest.raises(ValueError, match=match):
        KerasTabularClassifier(**SMALL, **changes).fit(TABLE, Y)


def test_training_does_not_go_on_with_other_limits():
    X, settings = TABLE[["size", "plan"]], {"warm_start": True, "min_frequency": 0.025}
    model = KerasTabularRegressor(**SMALL | settings).fit(X, TABLE["size"])
    assert model._fitted.table.categories[0].has_infrequent
    model.set_params(min_frequency=np.float64(0.025)).fit(X, TABLE["size"])
    for name, value in (("min_frequency", 2), ("max_categories", None)):
        before = getattr(model, name)
        model.set_params(**{name: value})
        with pytest.raises(ValueError, match=rf"learned with {name}=.*Got {name}={value}\. Put"):
            model.fit(X, TABLE["size"])
        model.set_params(**{name: before})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"frequencies": np.array([0.5, 0.25])}, "which frequencies does not fit"),
        ({"frequencies": np.array([0.5, 0.75, -0.25])}, "frequencies of Category"),
        ({"frequencies": np.array([1, 0, 0])}, "frequencies of Category"),
        ({"has_infrequent": 1}, "has_infrequent of Category"),
    ],
    ids=str,
)
def test_files_with_categories_that_no_fit_makes_are_refused(classifier, changes, match, tmp_path):
    fitted = classifier._fitted
    plan, *others = fitted.table.categories
    table = replace(fitted.table, categories=(replace(plan, **changes), *others))
    with pytest.raises(ValueError, match=match):
        copy_with(classifier, replace(fitted, table=table)).save(tmp_path / "model.skdense")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"min_frequency": 1.0}, {"min_frequency": 0}, {"max_categories": 0}, {"max_categories": 2.0}],
    ids=str,
)
def test_files_with_limits_that_no_fit_has_are_refused(classifier, changes, tmp_path):
    [name] = changes
    fitted = classifier._fitted
    table = replace(fitted.table, **changes)
    with pytest.raises(ValueError, match=f"{name} of TableEncoder"):
        copy_with(classifier, replace(fitted, table=table)).save(tmp_path / "model.skdense")


@pytest.mark.slow
def test_files_with_frequencies_below_zero_are_refused(classifier, tmp_path):
    fitted = classifier._fitted
    first, *others = fitted.members
    number = next(n for n, own in enumerate(first) if "frequencies" in own)
    weights = list(first)
    weights[number] = first[number] | {"frequencies": -first[number]["frequencies"]}
    broken = replace(fitted, members=(tuple(weights), *others))
    with pytest.raises(ValueError, match="weights of Categories"):
        copy_with(classifier, broken).save(tmp_path / "model.skdense")


def copy_with(classifier, fitted):
    twin = copy.copy(classifier)
    twin._fitted = fitted
    return twin
