"""Tables as they are: texts, categories, booleans and gaps, in frames and arrays of all kinds."""

import datetime
import decimal
import enum
import pickle

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdense
from skdense import KerasDenseClassifier, KerasTabularClassifier, KerasTabularRegressor
from skdense._training.program import trace_count

pytestmark = [
    # Keras 3.15 and NumPy 2 disagree about it where a Normalization layer is saved.
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
    ),
    # The table here has a column of infrequent categories on purpose.
    pytest.mark.filterwarnings("ignore::skdense.FeatureTypeWarning"),
]

SMALL = {"units": 8, "depth": 1, "n_estimators": 2, "epochs": 4, "random_state": 0}
SMALL |= {"min_frequency": 5}
ROWS = 60
RANDOM = np.random.default_rng(0)


class Color(str, enum.Enum):  # noqa: UP042 - not a StrEnum
    """Whose text is not its value."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"


def make_table():
    """A column of each kind; the city has values that are infrequent, others gaps."""
    size = RANDOM.normal(size=ROWS)
    cities = [*"abc"] * 17 + [None] * 5 + ["rare", "seldom"] * 2
    return pd.DataFrame(
        {
            "size": np.where(np.arange(ROWS) % 7, size, np.nan),
            "weight": RANDOM.normal(size=ROWS),
            "count": pd.array([None, 1, 2] * 20, "Int64"),
            "city": cities,
            "color": pd.Categorical(["red", "blue"] * 30),
            "is_old": [True, False, False] * 20,
            "street": [f"street {n % 12}" for n in range(ROWS)],
            "many": [f"value {n % 20}" for n in range(ROWS)],
        }
    )


TABLE = make_table()
CLASSES = np.where(TABLE["color"] == "red", "yes", "no")
NUMBERS = TABLE["weight"].to_numpy() + (TABLE["color"] == "red")


@pytest.fixture(scope="module")
def classifier():
    return KerasTabularClassifier(**SMALL).fit(TABLE, CLASSES)


def other(**columns):
    """The table with other columns."""
    return TABLE.assign(**columns)


# --- what becomes of columns ----------------------------------------------------------------


@pytest.mark.slow
def test_columns_become_numbers_and_codes(classifier):
    matrix = classifier.encode(TABLE)
    median = TABLE["size"].median()
    assert_allclose(matrix[:, 0], TABLE["size"].fillna(median))
    assert_array_equal(matrix[:, 1], TABLE["size"].isna())
    assert_array_equal(matrix[:, 2], TABLE["weight"])
    assert_array_equal(matrix[:, 3], TABLE["count"].astype(float).fillna(1.5))
    assert_array_equal(matrix[:, 4], TABLE["count"].isna())
    assert_array_equal(matrix[:, 5], np.where(TABLE["color"] == "red", 1, -1))
    assert_array_equal(matrix[:, 6], np.where(TABLE["is_old"], 1, -1))
    # Codes: the values in order, the missing, the infrequent ones.
    codes = {"a": 0, "b": 1, "c": 2, "rare": 4, "seldom": 4}
    assert_array_equal(matrix[:, 7], TABLE["city"].map(codes).fillna(3))
    assert matrix.shape == (ROWS, 10)
    assert set(matrix[:, 8]) == set(range(12))
    assert set(matrix[:, 9]) == {0.0}  # all infrequent, as each is in three rows


@pytest.mark.parametrize(
    ("column", "value", "place", "becomes"),
    [
        ("city", "never seen", 7, 4),
        ("city", None, 7, 3),
        ("city", np.nan, 7, 3),
        ("street", "never seen", 8, -1),
        ("street", None, 8, -1),
        ("color", "green", 5, 0),
        ("color", None, 5, 0),
        ("is_old", None, 6, -1 / 3),  # the mean of the training rows
        ("weight", np.nan, 2, float(np.median(TABLE["weight"]))),
        ("size", None, 1, 1),
    ],
)
def test_values_that_training_had_not(classifier, column, value, place, becomes):
    row = TABLE.iloc[[1]].astype({"color": object, "is_old": object, "city": object})
    row[column] = pd.Series([value], index=row.index, dtype=object)
    assert classifier.encode(row)[0, place] == pytest.approx(becomes)
    assert np.isfinite(classifier.predict_proba(row)).all()


@pytest.mark.slow
def test_rows_of_no_weight_teach_nothing():
    weights = np.ones(ROWS)
    weights[TABLE["city"].isna()] = 0
    model = KerasTabularClassifier(**SMALL).fit(TABLE, CLASSES, weights)
    [city] = [own for own in model._fitted.table.categories if own.column == 3]
    assert not city.has_missing


@pytest.mark.slow
def test_arrays_of_numbers_stay_as_they_are():
    X = RANDOM.normal(size=(ROWS, 3))
    model = KerasTabularRegressor(**SMALL).fit(X, X[:, 0])
    assert_array_equal(model.encode(X), X)
    with_gap = X.copy()
    with_gap[0, 1] = np.nan
    filled = with_gap.copy()
    filled[0, 1] = np.median(X[:, 1])
    assert_array_equal(model.predict(with_gap), model.predict(filled))


@pytest.mark.slow
def test_columns_without_a_value_say_nothing():
    X = other(size=np.nan, city=None)
    model = KerasTabularClassifier(**SMALL).fit(X, CLASSES)
    one, two = other(size=0.0, city="a"), other(size=0.0, city="b")
    assert_array_equal(model.predict_proba(one), model.predict_proba(two))
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("values", "others"),
    [
        ([2**60, 2**60 + 1, 2**60 + 2], [2**60, 2**60 + 1, 2**60 + 2]),
        ([decimal.Decimal("0.1"), decimal.Decimal("0.25"), decimal.Decimal(3)], [0.1, 0.25, 3.0]),
        (np.float32([0.1, 0.2, 0.3]), [0.1, 0.2, 0.3]),
        (list(Color), ["red", "green", "blue"]),
        ([decimal.Decimal("NaN"), 1, 2], [None, 1.0, 2.0]),
    ],
    ids=["beyond 2**53", "decimals", "precision", "enumeration", "decimal gap"],
)
def test_equal_values_are_one_category(values, others):
    X = pd.DataFrame({"x": pd.Series([*values] * 20, dtype=object)})
    model = KerasTabularRegressor(**SMALL, categorical_features=["x"]).fit(X, NUMBERS)
    codes = model.encode(X)[:3, 0]
    assert sorted(codes) == [0, 1, 2]
    assert_array_equal(
        model.encode(pd.DataFrame({"x": pd.Series(others, dtype=object)})[:3])[:, 0], codes
    )
    if isinstance(others[0], int):
        assert_array_equal(model.encode(pd.DataFrame({"x": others}))[:, 0], codes)
        assert_array_equal(model.encode(pl.DataFrame({"x": others}))[:, 0], codes)


@pytest.mark.slow
def test_large_whole_numbers_of_arrow_are_numbers():
    values = [2**60 + n for n in range(ROWS)]
    X = pa.table({"x": pa.array(values), "gaps": pa.array([None, *values[1:]])})
    matrix = KerasTabularRegressor(**SMALL).fit(X, NUMBERS).encode(X)
    assert_array_equal(matrix[:, 0], np.array(values, float))
    assert_array_equal(matrix[:, 2], [1] + [0] * (ROWS - 1))


@pytest.mark.slow
def test_booleans_come_as_zeros_and_ones_too():
    X = pd.DataFrame({"a": [True, False] * 30, "b": [True, True, False] * 20})
    model = KerasTabularRegressor(**SMALL).fit(X, NUMBERS)
    with pytest.warns(UserWarning, match="valid feature names"):
        assert_array_equal(model.encode(X.to_numpy()), model.encode(X))


@pytest.mark.slow
def test_rows_may_be_lists_of_texts_and_numbers():
    rows = TABLE[["city", "weight"]].head(24).values.tolist()
    listed = KerasTabularRegressor(**SMALL).fit(rows, NUMBERS[:24])
    framed = KerasTabularRegressor(**SMALL).fit(pd.DataFrame(rows), NUMBERS[:24])
    assert_array_equal(listed.predict(rows), framed.predict(pd.DataFrame(rows)))


@pytest.mark.slow
def test_columns_named_by_numbers_are_not_those_of_texts():
    X = TABLE[["city", "weight"]].set_axis(["0", "1"], axis=1)
    model = KerasTabularRegressor(**SMALL).fit(X, NUMBERS)
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X.set_axis([0, 1], axis=1))


@pytest.mark.slow
def test_models_of_keras_come_over_to_be_fitted(tmp_path):
    layers = [keras.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    model = KerasTabularRegressor.from_keras(keras.Sequential(layers))
    model.save(tmp_path / "model.skdense")
    assert_array_equal(
        skdense.load(tmp_path / "model.skdense").predict(np.eye(2)), model.predict(np.eye(2))
    )
    clone(model).set_params(epochs=1).fit(TABLE, NUMBERS)


# --- where tables come from -------------------------------------------------------------------


def as_objects(frame):
    return frame.astype(object).where(frame.notna(), None).to_numpy()


FRAMES = {
    "polars": lambda: pl.from_pandas(TABLE),
    "polars, enum": lambda: pl.from_pandas(TABLE).with_columns(
        pl.col("color").cast(pl.Enum(["blue", "red"])), pl.col("city").cast(pl.Categorical)
    ),
    "pyarrow": lambda: pa.Table.from_pandas(TABLE),
    "pandas, pyarrow dtypes": lambda: TABLE.convert_dtypes(dtype_backend="pyarrow"),
    "pandas, nullable": lambda: TABLE.convert_dtypes(),
    "pandas, objects": lambda: TABLE.astype(object),
    "pandas, ordered": lambda: other(color=TABLE["color"].cat.as_ordered()),
    "objects": lambda: as_objects(TABLE),
    "lists": lambda: as_objects(TABLE).tolist(),
}


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.filterwarnings(
    "ignore:X does not have valid feature names:UserWarning"  # scikit-learn's, of arrays
)
def test_frames_of_all_kinds_are_the_same_table(classifier, kind):
    X = FRAMES[kind]()
    assert_allclose(classifier.encode(X), classifier.encode(TABLE), rtol=1e-6)
    assert_allclose(
        clone(classifier).fit(X, CLASSES).predict_proba(X),
        classifier.predict_proba(TABLE),
        atol=1e-6,
    )


@pytest.mark.slow
def test_numbers_of_decimals_are_numbers():
    X = other(size=[decimal.Decimal(n) for n in range(ROWS)])
    assert KerasTabularClassifier(**SMALL).fit(X, CLASSES).encode(X)[5, 0] == 5


def test_columns_are_found_by_name(classifier):
    backwards = TABLE[TABLE.columns[::-1]]
    assert_array_equal(classifier.predict_proba(backwards), classifier.predict_proba(TABLE))


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (TABLE.drop(columns="city"), "yet now missing:\n- city"),
        (other(town="a"), "unseen at fit time:\n- town"),
    ],
)
def test_columns_that_are_missing_or_new_are_told_as_everywhere(classifier, X, match):
    with pytest.raises(ValueError, match=match):
        classifier.predict(X)


@pytest.mark.slow
def test_plain_numbers_keep_scikit_learns_rule_of_order():
    X = TABLE[["weight"]].assign(other=1.0)
    model = KerasTabularRegressor(**SMALL).fit(X, NUMBERS)
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(X[["other", "weight"]])


# --- which columns are categories -----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("given", [["city"], [1], [False, True], np.array([False, True])])
def test_categories_are_named_numbered_or_masked(given):
    X = pd.DataFrame({"size": TABLE["weight"], "city": [1, 2, 3] * 20})
    model = KerasTabularRegressor(**SMALL, categorical_features=given).fit(X, NUMBERS)
    assert_array_equal(model.encode(X)[:, 1], [0, 1, 2] * 20)


def test_numbers_of_a_categorical_dtype_are_categories():
    X = pd.DataFrame({"size": TABLE["weight"], "city": pd.Categorical([1, 2, 3] * 20)})
    model = KerasTabularRegressor(**SMALL).fit(X, NUMBERS)
    assert_array_equal(model.encode(X)[:, 1], [0, 1, 2] * 20)
    # 1.0 is the same number, as a column with gaps would have it.
    assert_array_equal(model.encode(X.astype({"city": float}))[:, 1], [0, 1, 2] * 20)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (["town"], r"names of columns, or numbers from 0 to 7. Got 'town'"),
        ([8], r"numbers from 0 to 7. Got 8"),
        ([True], r"one boolean for each of 8 columns. Got shape \(1,\)"),
        ("all", "categorical_features"),
        (None, r"numbers in column 'city', unless categorical_features has it. Got texts"),
    ],
)
def test_categories_that_cannot_be(given, match):
    with pytest.raises(ValueError, match=match):
        KerasTabularClassifier(**SMALL, categorical_features=given).fit(TABLE, CLASSES)


# --- bad tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        (other(city=[["a"]] * ROWS), TypeError, "a number, a text, a boolean or nothing"),
        (other(city=[{}] * ROWS), TypeError, "in column 'city'"),
        (other(city=[b"a"] * ROWS), TypeError, "a number, a text, a boolean or nothing"),
        (other(city=["a", 1] * 30), TypeError, "of one kind in column 'city'.*texts, such as 'a'"),
        (other(size=1j), (TypeError, ValueError), "(?i)complex"),
        (other(size=np.inf), ValueError, "infinity"),
        (
            other(size=pd.Series([10**400] * ROWS, dtype=object)),
            ValueError,
            "numbers that float64 holds in column 'size'",
        ),
        (other(size=pd.Timestamp(0)), TypeError, "Turn dates into numbers first"),
        (other(city=datetime.date(2000, 1, 1)), TypeError, "of type date, in column 'city'"),
        (pl.from_pandas(TABLE).with_columns(city=pl.lit([1])), TypeError, r"List.*'city'"),
        (pd.concat([TABLE, TABLE], axis=1), ValueError, "different names. Got more than one of"),
        (TABLE.iloc[:0], ValueError, "0 sample"),
        (TABLE[[]], ValueError, "0 feature"),
        (TABLE["size"], ValueError, "2-dimensional|2D array"),
        (csr_array(np.eye(ROWS)), (TypeError, ValueError), "dense|sparse"),
        (np.full((ROWS, 2), np.datetime64("2020-01-01")), TypeError, "Got datetime64.*Turn dates"),
        (
            pl.from_pandas(TABLE).lazy(),
            (TypeError, ValueError),
            "Got LazyFrame of polars, which is lazy. Call its collect",
        ),
    ],
)
def test_bad_tables_name_what_is_wrong(X, error, match):
    model = KerasTabularClassifier(**SMALL)
    with pytest.raises(error, match=match):
        model.fit(X, CLASSES)
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize(
    ("columns", "error", "match"),
    [
        ({"city": 1.0}, ValueError, "must have texts in column 'city'.*Got numbers, such as 1.0"),
        ({"size": "a"}, ValueError, "must have numbers in column 'size'"),
        ({"is_old": "yes"}, ValueError, "must have booleans in column 'is_old'.*Got texts"),
    ],
)
def test_columns_of_another_kind_at_prediction(classifier, columns, error, match):
    with pytest.raises(error, match=match):
        classifier.predict(other(**columns))


def test_sparse_rows_at_prediction(classifier):
    with pytest.raises(TypeError, match=r"X must be dense. Got a sparse one. Pass X\.toarray"):
        classifier.predict(csr_array(np.eye(len(TABLE.columns))))


def test_embedded_columns_that_do_not_fit_are_told_before(monkeypatch):
    monkeypatch.setattr("skdense._training.room._ALWAYS_FITS", 0)
    monkeypatch.setattr("skdense._training.room.usable_memory", lambda: 5 * 10**7)
    X = RANDOM.normal(size=(ROWS, 200))
    match = r"Embedded columns of 2 networks take about .* GB.*Lower units.*n_bins"
    with pytest.raises(MemoryError, match=match):
        KerasTabularRegressor(**SMALL).fit(X, NUMBERS)


@pytest.mark.slow
def test_twenty_thousand_columns():
    X = pd.DataFrame(np.zeros((10, 20_000), np.float32))
    X.iloc[:5, 0] = 1
    plain = {"numeric_embedding": None, "depth": 0, "epochs": 1}
    model = KerasTabularClassifier(**SMALL | plain).fit(X, [0] * 5 + [1] * 5)
    assert model.predict(X).shape == (10,)


# --- the rest of what networks do ---------------------------------------------------------------

ALONE = {"n_estimators": 1, "validation_fraction": None, "early_stopping": False}
ALONE |= {"scoring": "loss", "dropout": 0.0}


@pytest.fixture
def few_indicators(monkeypatch):
    """Learned vectors for columns of more than two categories."""
    monkeypatch.setattr("skdense._problem.input_stages.MOST_INDICATORS", 2)


@pytest.mark.slow
@pytest.mark.usefixtures("few_indicators")
def test_both_engines_learn_the_same_vectors():
    settings = SMALL | ALONE | {"dtype": "float64", "learning_rate_schedule": None}
    one, two = (
        KerasTabularRegressor(**settings, engine=engine).fit(TABLE, NUMBERS)
        for engine in ("compiled", "keras")
    )
    assert any(name.startswith("vectors") for own in one._fitted.members[0] for name in own)
    assert_allclose(one.predict(TABLE), two.predict(TABLE), rtol=1e-9, atol=1e-10)


@pytest.mark.usefixtures("few_indicators")
def test_vectors_that_are_learned_move():
    model = KerasTabularRegressor(**SMALL | ALONE | {"learning_rate_schedule": None})
    short, long = (
        {name: array for own in fit._fitted.members[0] for name, array in own.items()}
        for fit in (clone(model).set_params(epochs=n).fit(TABLE, NUMBERS) for n in (1, 4))
    )
    vectors = [name for name in short if name.startswith("vectors")]
    assert len(vectors) == 2
    assert all((short[name] != long[name]).any() for name in vectors)


@pytest.mark.slow
@pytest.mark.parametrize("most", [2, 16])
def test_to_keras_takes_the_encoded_matrix(monkeypatch, tmp_path, most):
    monkeypatch.setattr("skdense._problem.input_stages.MOST_INDICATORS", most)
    model = KerasTabularClassifier(**SMALL).fit(TABLE, CLASSES)
    unseen = other(city="new", street="new")
    matrix = model.encode(unseen)
    network = model.to_keras()
    outputs = network.predict(matrix, verbose=0)[:, 0]
    assert_allclose(outputs, model.predict_proba(unseen)[:, 1], atol=1e-6)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    assert_allclose(loaded.predict(matrix, verbose=0)[:, 0], outputs, atol=1e-6)
    again = KerasDenseClassifier.from_keras(loaded, classes=model.classes_)
    assert_allclose(again.predict_proba(matrix), model.predict_proba(unseen), atol=1e-6)


def test_files_and_pickles_hold_the_encoder(classifier, tmp_path):
    path = tmp_path / "model.skdense"
    classifier.save(path)
    unseen = other(city="new", size=np.nan)
    for copy in (skdense.load(path), pickle.loads(pickle.dumps(classifier))):  # noqa: S301
        assert type(copy) is KerasTabularClassifier
        assert_array_equal(copy.predict_proba(unseen), classifier.predict_proba(unseen))
        with pytest.raises(ValueError, match="yet now missing"):
            copy.predict(TABLE[["size"]])


def test_training_goes_on_with_the_same_columns(classifier):
    model = clone(classifier).set_params(warm_start=True).fit(TABLE, CLASSES)
    encoder = model._fitted.table
    model.fit(other(city="new"), CLASSES)
    assert model.n_iter_ == 2 * SMALL["epochs"]
    assert model._fitted.table is encoder


def test_training_does_not_go_on_with_other_categories():
    X = pd.DataFrame({"size": TABLE["weight"], "city": [1, 2, 3] * 20})
    settings = SMALL | {"warm_start": True, "categorical_features": ["city"]}
    model = KerasTabularRegressor(**settings).fit(X, NUMBERS).fit(X, NUMBERS)
    model.set_params(categorical_features=["size"])
    with pytest.raises(ValueError, match=r"numbers \[1\]. Got categorical_features for \[0\]"):
        model.fit(X, NUMBERS)


def test_streams_learn_columns_from_the_first_chunk():
    model = KerasTabularClassifier(**SMALL)
    model.partial_fit(TABLE[:30], CLASSES[:30], classes=["no", "yes"])
    model.partial_fit(TABLE[30:], CLASSES[30:])
    assert model.n_iter_ == 2
    assert set(model.encode(TABLE[51:])[:, 7]) == {-1}  # all that come late


@pytest.mark.slow
def test_rows_to_watch_come_as_they_are():
    model = KerasTabularRegressor(**SMALL | {"validation_fraction": None})
    model.fit(TABLE[:40], NUMBERS[:40], X_val=TABLE[40:], y_val=NUMBERS[40:])
    assert len(model.history_["val_loss"]) == SMALL["epochs"]
    with pytest.raises(ValueError, match="- city"):
        model.fit(TABLE[:40], NUMBERS[:40], X_val=TABLE[["size"]], y_val=NUMBERS)


def test_scorers_judge_while_training():
    model = KerasTabularClassifier(**SMALL | {"scoring": "accuracy", "validation_fraction": 0.2})
    model.fit(TABLE, CLASSES)
    assert len(model.history_["val_score"]) == SMALL["epochs"]


@pytest.mark.slow
def test_several_labels_and_outputs():
    labels = np.column_stack([CLASSES == "yes", TABLE["is_old"]]).astype(int)
    assert KerasTabularClassifier(**SMALL).fit(TABLE, labels).predict(TABLE).shape == (ROWS, 2)
    both = np.column_stack([NUMBERS, -NUMBERS])
    assert KerasTabularRegressor(**SMALL).fit(TABLE, both).predict(TABLE).shape == (ROWS, 2)


@pytest.mark.slow
def test_searches_pipelines_and_inspection():
    rates = {"learning_rate": [0.01, 0.03]}  # which one program trains
    search = GridSearchCV(KerasTabularClassifier(**SMALL), rates, cv=2)
    search.fit(TABLE, CLASSES)
    importances = permutation_importance(search, TABLE, CLASSES, n_repeats=1, random_state=0)
    assert importances.importances_mean.shape == (TABLE.shape[1],)
    dependence = partial_dependence(search.best_estimator_, TABLE, ["weight"], grid_resolution=3)
    assert dependence["average"].shape == (1, 3)
    before = make_column_transformer((StandardScaler(), ["weight"]), remainder="passthrough")
    steps = before.set_output(transform="pandas"), KerasTabularClassifier(**SMALL)
    assert make_pipeline(*steps).fit(TABLE, CLASSES).predict(TABLE).shape == (ROWS,)


def test_summary_prints_columns_once_and_one_members_layers(classifier, capsys):
    classifier.summary()
    shown = capsys.readouterr().out
    n_members, n_layers = len(classifier._fitted.members), len(classifier._fitted.network.stages)
    assert f"Layers of each of {n_members} members " in shown
    assert len(shown.splitlines()) <= len(TABLE.columns) + n_layers + 10


@pytest.mark.slow
def test_every_count_of_parameters_is_that_of_keras(classifier, capsys):
    model = classifier.to_keras()
    n_parameters = model.count_params()
    n_trained = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    classifier.summary()
    shown = capsys.readouterr().out
    assert f"\nTotal params: {n_parameters:,} (" in shown
    assert f"\nTrainable params: {n_trained:,}\n" in shown
    assert f"\nNon-trainable params: {n_parameters - n_trained:,}\n" in shown
    assert f", {n_parameters:,} parameters</summary>" in classifier._repr_html_()
    classifier.summary(expand=True)
    assert f"Total params: {n_parameters:,} (" in capsys.readouterr().out


def test_summary_and_html_tell_what_becomes_of_columns(classifier, capsys):
    classifier.summary()
    for text in (capsys.readouterr().out, classifier._repr_html_()):
        assert "and whether it is missing" in text
        assert "a category of 3 texts, missing, infrequent; unknown: infrequent" in text
        assert "-1 or 1, of 2 booleans" in text


def test_html_shows_as_many_columns_as_one_reads(classifier, monkeypatch):
    monkeypatch.setattr("skdense._tables.descriptions._MOST_SHOWN", 3)
    html = classifier._repr_html_()
    assert f"and {len(TABLE.columns) - 3} more" in html
    assert "-1 or 1, of 2 booleans" not in html


def test_other_values_of_the_same_kinds_compile_nothing(classifier):
    before = trace_count()
    X = other(size=1.0 + np.arange(ROWS), city=[*"xyz"] * 17 + [None] * 5 + ["rare", "seldom"] * 2)
    clone(classifier).fit(X.assign(size=X["size"].where(X["size"] > 2)), CLASSES)
    assert trace_count() == before
