"""Estimators and whole pipelines in ONNX: the same labels, probabilities and numbers."""

import pickle
import subprocess
import sys

import keras
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import polars as pl
import pytest
import skl2onnx
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import BaggingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skdense
from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)
from skdense._networks.numpy_activations import NUMPY_ACTIVATIONS

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 4)).astype(np.float32)
CODES = np.digitize(X[:, 0], [-0.4, 0.4])
ACTIVATIONS = tuple(sorted(NUMPY_ACTIVATIONS.keys() - {"sparsemax"}))
SETTINGS = {"units": 8, "epochs": 5, "random_state": 0}
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]
pytestmark = [
    # What skl2onnx does with NumPy 2 and scikit-learn 1.9, not with the estimators here.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:skl2onnx"),
    # Tables here have a column of infrequent categories on purpose.
    pytest.mark.filterwarnings("ignore::skdense.FeatureTypeWarning"),
]


def run(model, inputs):
    """Return the outputs of onnxruntime."""
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


def columns(table):
    """Return what a session takes for a table: an array of shape (rows, 1) for each column."""
    kinds = {name: np.float32 if table[name].dtype.kind == "f" else object for name in table}
    return {name: table[[name]].to_numpy().astype(kind) for name, kind in kinds.items()}


def assert_agrees(estimator, inputs, rows):
    label, probabilities = run(skdense.to_onnx(estimator, rows), inputs)
    assert_array_equal(label, estimator.predict(rows))
    assert_allclose(probabilities, estimator.predict_proba(rows), atol=1e-5)


@pytest.fixture
def table(penguins):
    rows, species = penguins
    known = rows["sex"].notna()
    rows = rows.loc[known, [*NUMBERS, *TEXTS]].copy()
    rows.iloc[3, 2] = np.nan
    return rows, species[known].to_numpy()


@pytest.fixture
def preparation():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])


def test_a_whole_pipeline_agrees_on_every_penguin(table, preparation):
    rows, species = table
    network = KerasDenseClassifier(units=12, epochs=20, random_state=0)
    pipeline = Pipeline([("preparation", preparation), ("network", network)]).fit(rows, species)
    model = skdense.to_onnx(pipeline, rows)
    assert [each.name for each in model.graph.input] == [*NUMBERS, *TEXTS]
    assert [each.name for each in model.graph.output] == ["label", "probabilities"]
    assert_agrees(pipeline, columns(rows), rows)
    unknown = rows.head(5).assign(island="elsewhere")
    label, probabilities = run(model, columns(unknown))
    assert_array_equal(label, pipeline.predict(unknown))
    assert_allclose(probabilities, pipeline.predict_proba(unknown), atol=1e-5)


def test_inputs_have_the_names_of_their_columns():
    names = ["mean radius", "mean_radius", "Größe (cm)", "2nd"]
    rows = pd.DataFrame(X, columns=names)
    pipeline = make_pipeline(StandardScaler(), KerasDenseClassifier(**SETTINGS)).fit(rows, CODES)
    assert [each.name for each in skdense.to_onnx(pipeline, rows).graph.input] == names
    assert_agrees(pipeline, columns(rows), rows)


@pytest.mark.slow
@pytest.mark.parametrize("is_multilabel", [False, True])
def test_a_pipeline_with_other_targets(table, preparation, is_multilabel):
    rows, species = table
    y = species == "Adelie"
    y = np.c_[y, rows["body_mass_g"] > 4_000].astype(int) if is_multilabel else y
    assert_agrees(
        make_pipeline(preparation, KerasDenseClassifier(**SETTINGS)).fit(rows, y),
        columns(rows),
        rows,
    )


def test_regression_agrees_on_the_diabetes_set():
    rows, y = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), KerasDenseRegressor(**SETTINGS)).fit(rows, y)
    [predicted] = run(skdense.to_onnx(pipeline, rows), {"X": rows})
    assert_allclose(predicted[:, 0], pipeline.predict(rows), rtol=1e-5)


def test_several_outputs_of_a_regressor():
    network = KerasDenseRegressor(**SETTINGS).fit(X, np.c_[X[:, 0], 1_000 * X[:, 1]])
    [predicted] = run(skdense.to_onnx(network, X[:1]), {"X": X})
    assert_allclose(predicted, network.predict(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "y",
    [CODES, CODES * 7 - 3, CODES > 1, CODES.astype(float), np.array(list("abc"))[CODES],
     np.array(["no", "yes"], object)[CODES // 2], np.c_[CODES > 0, CODES > 1].astype(int)],
)  # fmt: skip
def test_labels_of_every_kind(y):
    assert_agrees(KerasDenseClassifier(**SETTINGS).fit(X, y), {"X": X}, X)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "n_classes"),
    [
        ({"output_activation": "softmax"}, 2),
        ({"output_activation": "linear"}, 2),
        ({"output_activation": "linear"}, 3),
        ({"loss": "hinge"}, 2),
        ({"loss": "categorical_hinge"}, 3),
        ({"loss": "categorical_hinge"}, 2),
        ({"loss": "categorical_crossentropy", "output_activation": "sigmoid"}, 2),
        ({"loss": "categorical_crossentropy", "output_activation": "softplus"}, 2),
        ({"loss": "mse", "output_activation": "log_softmax"}, 2),
        ({"output_activation": "sigmoid", "loss": "binary_crossentropy"}, 3),
        ({"output_activation": "relu", "loss": "mse"}, 3),
        ({"output_activation": "hard_sigmoid", "loss": "mse"}, 2),
        ({"output_activation": "log_softmax", "loss": "mse"}, 3),
        ({"batch_normalization": True, "dropout": 0.2}, 3),
        ({"depth": 0}, 3),
    ],
)
def test_heads_of_every_kind(parameters, n_classes):
    y = np.minimum(CODES, n_classes - 1)
    network = KerasDenseClassifier(**SETTINGS, **parameters).fit(X, y)
    for rows in (X, 50 * X):
        assert_agrees(network, {"X": rows}, rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    "activations", [ACTIVATIONS[n : n + 3] for n in range(0, len(ACTIVATIONS), 3)], ids="-".join
)
def test_activations_of_every_kind(activations):
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(8, activation) for activation in activations]
    model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(1)])
    network = KerasDenseRegressor.from_keras(model)  # no training, which would have to compile
    wide = X if "exponential" in activations else 6 * X
    [predicted] = run(skdense.to_onnx(network, wide), {"X": wide})
    expected = network.predict(wide)
    assert_allclose(predicted[:, 0], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_a_search_becomes_its_best_estimator():
    search = GridSearchCV(KerasDenseClassifier(**SETTINGS), {"units": [4, 8]}, cv=2).fit(X, CODES)
    assert_agrees(search, {"X": X}, X)


def test_any_number_of_rows(table):
    model = skdense.to_onnx(KerasDenseClassifier(**SETTINGS).fit(X, CODES), X[:1])
    for n_rows in (1, 7):
        label, probabilities = run(model, {"X": X[:n_rows]})
        assert label.shape == (n_rows,)
        assert probabilities.shape == (n_rows, 3)


# --- what is refused ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["sparsemax", lambda x: 2 * x])
def test_activations_without_a_form_are_named(activation):
    network = KerasDenseRegressor(units=3, epochs=1, activation=activation).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"activation must be a name that has a form in ONNX"):
        skdense.to_onnx(network, X)


def test_classes_without_a_form_are_named():
    network = KerasDenseClassifier(**SETTINGS).fit(X, np.array([0.25, 1.5, 2.0])[CODES].astype(str))
    assert_agrees(network, {"X": X}, X)
    network.classes_ = np.array([0.25, 1.5, 2.0])
    with pytest.raises(ValueError, match="classes must be whole numbers or texts"):
        skdense.to_onnx(network, X)


@pytest.mark.parametrize("rows", [X[0], np.float32(1), X[np.newaxis]])
def test_samples_of_other_shapes_are_refused(rows):
    network = KerasDenseClassifier(**SETTINGS).fit(X, CODES)
    with pytest.raises(ValueError, match=r"X must be rows of features.*Got shape"):
        skdense.to_onnx(network, rows)


def test_a_sparse_sample_tells_the_columns():
    network = KerasDenseClassifier(**SETTINGS).fit(csr_array(X), CODES)
    label, _ = run(skdense.to_onnx(network, csr_array(X)), {"X": X})
    assert_array_equal(label, network.predict(X))


def test_models_must_be_fitted():
    with pytest.raises(NotFittedError):
        skdense.to_onnx(KerasDenseClassifier(), X)


def test_columns_of_other_kinds_are_named(table):
    rows = pd.DataFrame({"when": pd.to_datetime(["2020-01-01"]), "x": [1.0]})
    network = KerasDenseClassifier(**SETTINGS).fit(X, CODES)
    with pytest.raises(ValueError, match=r"X must hold numbers and text\. Got .* in 'when'"):
        skdense.to_onnx(network, rows)


def test_without_skl2onnx_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"Run: pip install skl2onnx onnx$"):
        skdense.to_onnx(KerasDenseClassifier(), X)


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_double_precision_by_skl2onnx_itself(n_classes):
    rows = X.astype(np.float64)
    kind = KerasDenseClassifier if n_classes else KerasDenseRegressor
    y = CODES % n_classes if n_classes else 1e6 * rows[:, 0]
    network = kind(**SETTINGS).fit(rows, y)
    skdense.to_onnx(network, rows)  # tells skl2onnx about these estimators
    options = {id(network): {"zipmap": False}} if n_classes else None
    model = skl2onnx.to_onnx(network, rows, options=options)
    outputs = run(model, {model.graph.input[0].name: rows})
    expected = network.predict_proba(rows) if n_classes else network.predict(rows)
    assert outputs[-1].dtype == np.float64
    assert_allclose(outputs[-1].ravel(), expected.ravel(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("mean", "scale"), [(1.7e9, 10), (0, 1e40)])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_numbers_that_float32_cannot_hold_come_in_float64(mean, scale, in_pipeline):
    y = mean + scale * X[:, 0].astype(float)
    network = KerasDenseRegressor(**SETTINGS)
    network = make_pipeline(StandardScaler(), network) if in_pipeline else network
    [answers] = run(skdense.to_onnx(network.fit(X, y), X), {"X": X})
    assert answers.dtype == np.float64
    assert_allclose(answers[:, 0] / y.std(), network.predict(X) / y.std(), rtol=0, atol=1e-5)


def test_an_ensemble_of_numbers_that_float32_cannot_hold_comes_in_float64():
    y = 1.7e9 + 10 * X[:, 0].astype(float)
    ensemble = BaggingRegressor(KerasDenseRegressor(**SETTINGS), n_estimators=2, random_state=0)
    [numbers] = run(skdense.to_onnx(ensemble.fit(X, y), X), {"X": X})
    assert numbers.dtype == np.float64
    assert_allclose(numbers[:, 0] / 10, ensemble.predict(X) / 10, rtol=0, atol=1e-5)


# --- tables ----------------------------------------------------------------------------------


def make_raw_table():
    """Texts, gaps, booleans and categories of numbers, with values of each that are rare."""
    random = np.random.default_rng(0)
    size = random.normal(size=80)
    return pd.DataFrame(
        {
            "size": np.where(np.arange(80) % 7, size, np.nan),
            "weight": random.normal(size=80),
            "city": ["a", "b", "c", "d"] * 19 + ["rare", "seldom", None, ""],
            "color": ["red", "blue"] * 40,
            "street": [f"street {n % 16}" for n in range(80)],
            "many": [f"value {n % 20}" for n in range(60)] + ["some"] * 20,
            "is_old": [True, False] * 40,
            "was_new": [True, False, None, True] * 20,
            "floor": pd.Categorical([1, 2, 3, 4, None] * 15 + [7] * 5),
        }
    )


RAW = make_raw_table()
OF_TABLES = {"units": 8, "depth": 1, "n_estimators": 2, "epochs": 3, "random_state": 0}


def as_inputs(session, X):
    """What onnxruntime takes: "" is a missing text, NaN any other missing value."""
    dtypes = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(int64)": np.int64}

    def column(given):
        values = X[given.name].astype(object)
        if given.type == "tensor(string)":
            return values.where(values.notna(), "").to_numpy(object)
        return values.where(values.notna(), np.nan).astype(dtypes[given.type]).to_numpy()

    return {given.name: column(given)[:, np.newaxis] for given in session.get_inputs()}


def run_tables(model, *tables):
    """Return each table, with what a model in ONNX says of it."""
    converted = skdense.to_onnx(model, tables[0])
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    assert [given.name for given in session.get_inputs()] == list(tables[0].columns)
    return [(X, session.run(None, as_inputs(session, X))) for X in tables]


UNSEEN = RAW.assign(
    city="new", street=None, color="green", size=np.nan, weight=np.nan, many="other", floor=99
)


@pytest.mark.slow
@pytest.mark.parametrize("most", [3, 16], ids=["vectors", "indicators"])
def test_tables_go_in_as_they_are(monkeypatch, most):
    monkeypatch.setattr("skdense._problem.input_stages.MOST_INDICATORS", most)
    y = np.where(RAW["color"] == "red", "yes", "no")
    classifier = KerasTabularClassifier(**OF_TABLES).fit(RAW, y)
    for X, (labels, probabilities) in run_tables(classifier, RAW, UNSEEN):
        assert_allclose(probabilities, classifier.predict_proba(X), atol=1e-6)
        assert_array_equal(labels, classifier.predict(X))
    regressor = KerasTabularRegressor(**OF_TABLES).fit(RAW, RAW["weight"])
    for X, [numbers] in run_tables(regressor, RAW, UNSEEN):
        assert_allclose(numbers[:, 0], regressor.predict(X), rtol=1e-4, atol=1e-5)


def test_columns_in_another_order_are_those_of_their_names():
    model = KerasTabularRegressor(**OF_TABLES).fit(RAW, RAW["weight"])
    converted = skdense.to_onnx(model, RAW[RAW.columns[::-1]])
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    [numbers] = session.run(None, as_inputs(session, RAW))
    assert_allclose(numbers[:, 0], model.predict(RAW), rtol=1e-4, atol=1e-5)


def test_whole_numbers_beyond_float32_are_told_apart():
    X = pd.DataFrame({"x": [100_000_001, 100_000_002, 100_000_003] * 20})
    settings = OF_TABLES | {"epochs": 20, "categorical_features": ["x"]}
    model = KerasTabularRegressor(**settings).fit(X, [0.0, 0.0, 1.0] * 20)
    session = onnxruntime.InferenceSession(skdense.to_onnx(model, X).SerializeToString())
    [numbers] = session.run(None, {"x": X[["x"]].to_numpy()})
    assert_allclose(numbers[:, 0], model.predict(X), atol=1e-5)


@pytest.mark.slow
def test_searches_and_pipelines_of_a_table_take_its_columns():
    frame = pl.from_pandas(RAW.drop(columns="floor"))
    search = GridSearchCV(
        make_pipeline(KerasTabularRegressor(**OF_TABLES)),
        {"kerastabularregressor__units": [4]},
        cv=2,
    ).fit(frame, RAW["weight"])
    given = [
        (i.name, i.type)
        for i in onnxruntime.InferenceSession(
            skdense.to_onnx(search, frame).SerializeToString()
        ).get_inputs()
    ]
    assert given[:3] == [
        ("size", "tensor(double)"),
        ("weight", "tensor(double)"),
        ("city", "tensor(string)"),
    ]


@pytest.mark.parametrize("name", ["variable", ""])
def test_names_that_onnx_has_no_room_for(name):
    X = RAW.rename(columns={"size": name})
    model = KerasTabularRegressor(**OF_TABLES).fit(X, RAW["weight"])
    with pytest.raises(ValueError, match="X must have columns"):
        skdense.to_onnx(model, X)


@pytest.mark.slow
def test_tables_at_the_end_of_a_pipeline_come_as_one_matrix():
    X = RAW[["size", "weight"]].to_numpy(np.float32)
    pipeline = make_pipeline(StandardScaler(), KerasTabularRegressor(**OF_TABLES))
    pipeline.fit(X, RAW["weight"])
    session = onnxruntime.InferenceSession(skdense.to_onnx(pipeline, X).SerializeToString())
    [numbers] = session.run(None, {"X": X})
    assert_allclose(numbers[:, 0], pipeline.predict(X), rtol=1e-4, atol=1e-5)


def test_a_table_of_other_columns_is_an_error():
    model = KerasTabularRegressor(**OF_TABLES).fit(RAW, RAW["weight"])
    with pytest.raises(ValueError, match="the 9 columns of the training"):
        skdense.to_onnx(model, RAW.drop(columns="size"))


@pytest.mark.slow
@pytest.mark.parametrize("first", ["skdense", "skl2onnx"])
def test_the_entry_point_of_skl2onnx_knows_the_estimators(first, tmp_path):
    network = KerasDenseClassifier(units=4, epochs=2)
    pipeline = make_pipeline(StandardScaler(), network).fit(X, X[:, 0] > 0)
    (tmp_path / "pipeline.pkl").write_bytes(pickle.dumps(pipeline))
    code = f"""
import {first}
import pickle, sys
import skdense, skl2onnx
import numpy as np
X = np.zeros((3, 4), np.float32)
pipeline = pickle.load(open(sys.argv[1] + "/pipeline.pkl", "rb"))
for options in (None, {{id(pipeline): {{"zipmap": False}}}}):
    converted = skl2onnx.to_onnx(pipeline, X, options=options)
    print([output.name for output in converted.graph.output])
"""
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


# --- missing values --------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, "", "None", "nan", "NaN", "<NA>"])
@pytest.mark.parametrize("extra", [[], ["c"]], ids=["two codes", "codes"])
def test_missing_strings_count_as_missing(fitted_with_gaps, missing, extra):
    rows, models = fitted_with_gaps
    model, session = models[len(extra)]
    [numbers] = session.run(None, {"c": np.array([[missing]], object), "x": np.float32([[0.5]])})
    expected = model.predict(rows[:1].assign(c=pd.Series([None], dtype=object), x=np.float32(0.5)))
    assert_allclose(numbers[:, 0], expected, atol=1e-5)


@pytest.fixture(scope="module")
def fitted_with_gaps():
    """Tables whose strings are of one category, or of two, and missing."""
    y = np.tile([0.0, 5.0], 40)
    models = []
    for texts in (["a", None], ["a", None, "c", None]):
        rows = pd.DataFrame(
            {
                "c": np.array([texts[n % len(texts)] for n in range(80)], object),
                "x": np.float32(np.linspace(0, 1, 80)),
            }
        )
        model = KerasTabularRegressor(**OF_TABLES).fit(rows, y)
        converted = skdense.to_onnx(model, rows)
        assert "empty string" in converted.graph.input[0].doc_string
        assert {"missing value in c", "missing value in x"} == {
            entry.key for entry in converted.metadata_props
        }
        models.append((model, onnxruntime.InferenceSession(converted.SerializeToString())))
    return rows, models


def test_a_category_that_looks_like_a_missing_value_is_told_of():
    rows = pd.DataFrame({"c": np.array(["None", None, "b", "nan"] * 20, object)})
    model = KerasTabularRegressor(**OF_TABLES).fit(rows, np.tile([0.0, 5.0, 1.0, 2.0], 20))
    with pytest.warns(UserWarning, match=r"Column 'c' has the categories 'None', 'nan'.*Feed ''"):
        converted = skdense.to_onnx(model, rows)
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    texts = np.array([["None"], [""], ["b"], ["nan"], ["<NA>"]], object)
    [numbers] = session.run(None, {"c": texts})
    expected = model.predict(
        pd.DataFrame({"c": np.array(["None", None, "b", "nan", None], object)})
    )
    assert_allclose(numbers[:, 0], expected, atol=1e-5)


def test_a_missing_integer_of_a_wide_category():
    values = pd.array([2**60, 2**60 + 1, None, 2**60 + 2] * 20, "Int64")
    X = pd.DataFrame({"x": values})
    settings = OF_TABLES | {"categorical_features": ["x"]}
    model = KerasTabularRegressor(**settings).fit(X, np.tile([0.0, 1.0, 8.0, 2.0], 20))
    converted = skdense.to_onnx(model, X)
    assert str(-(2**63)) in converted.graph.input[0].doc_string
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    rows = np.array([[2**60], [2**60 + 1], [-(2**63)], [2**60 + 2]])
    [numbers] = session.run(None, {"x": rows})
    assert_allclose(numbers[:, 0], model.predict(X[:4]), atol=1e-5)
