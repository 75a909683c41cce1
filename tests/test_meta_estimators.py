"""Estimators of scikit-learn that take others, kinds of data and labels, and copies."""

import copy
import io
import pickle

import joblib
import keras
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import (
    DecisionBoundaryDisplay,
    PartialDependenceDisplay,
    permutation_importance,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skdense import KerasDenseClassifier, KerasDenseRegressor

SETTINGS = {"units": 8, "depth": 1, "epochs": 20, "learning_rate": 0.03, "random_state": 0}
SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
ESTIMATORS = [KerasDenseClassifier, KerasDenseRegressor]


@pytest.fixture(autouse=True)
def figures():
    """Draw to memory, and forget the figures of a test."""
    before = mpl.get_backend()
    plt.switch_backend("Agg")
    yield
    plt.close("all")
    plt.switch_backend(before)


@pytest.fixture
def network():
    return KerasDenseClassifier(**SETTINGS)


@pytest.fixture
def pipeline(preprocessing, network):
    return Pipeline([("preprocessing", preprocessing), ("network", network)])


@pytest.fixture
def regression(preprocessing):
    return Pipeline(
        [("preprocessing", preprocessing), ("network", KerasDenseRegressor(**SETTINGS))]
    )


@pytest.fixture
def arrays(preprocessing, penguins):
    """The penguins as nine standardised or one-hot columns, and their species."""
    return preprocessing.fit_transform(penguins[0]), penguins[1].to_numpy(dtype=object)


# --- around the pipeline -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_of_classes(method, pipeline, penguins):
    calibrated = CalibratedClassifierCV(pipeline, method=method, cv=3).fit(*penguins)
    probabilities = calibrated.predict_proba(penguins[0])
    assert calibrated.classes_.tolist() == SPECIES
    assert probabilities.shape == (344, 3)
    assert_allclose(probabilities.sum(axis=1), 1)
    assert calibrated.score(*penguins) > 0.95


@pytest.mark.slow
def test_calibration_mends_an_overconfident_network_of_two_classes(pipeline, penguins):
    known = penguins[0].dropna()
    X, y = known.assign(sex="unknown"), known["sex"] == "male"
    train, rest = slice(None, None, 2), slice(1, None, 2)
    pipeline.set_params(network__epochs=200, network__l2=0.0).fit(X[train], y[train])
    calibrated = CalibratedClassifierCV(FrozenEstimator(pipeline)).fit(X[rest], y[rest])
    before, after = (
        log_loss(y[rest], estimator.predict_proba(X[rest])) for estimator in (pipeline, calibrated)
    )
    assert after < 0.8 * before


def test_soft_vote_is_the_mean_of_the_probabilities(pipeline, preprocessing, penguins):
    X, y = penguins
    linear = make_pipeline(clone(preprocessing), LogisticRegression())
    vote = VotingClassifier([("network", pipeline), ("linear", linear)], voting="soft").fit(X, y)
    network, linear = (member.predict_proba(X) for member in vote.estimators_)
    assert_allclose(vote.predict_proba(X), (network + linear) / 2)
    assert vote.score(X, y) > 0.97


def test_stack_learns_from_the_probabilities(pipeline, penguins):
    wide = clone(pipeline).set_params(network__units=4)
    stack = StackingClassifier([("narrow", pipeline), ("wide", wide)], cv=3).fit(*penguins)
    assert stack.stack_method_ == ["predict_proba", "predict_proba"]
    assert stack.transform(penguins[0]).shape == (344, 6)
    assert stack.score(*penguins) > 0.97


def test_one_network_against_the_rest_for_each_class(pipeline, penguins):
    one_vs_rest = OneVsRestClassifier(pipeline).fit(*penguins)
    assert len(one_vs_rest.estimators_) == 3
    assert one_vs_rest.classes_.tolist() == SPECIES
    decisions = one_vs_rest.decision_function(penguins[0])
    assert_array_equal(one_vs_rest.predict(penguins[0]), np.take(SPECIES, decisions.argmax(axis=1)))
    assert one_vs_rest.score(*penguins) > 0.97


def test_regression_of_a_transformed_target(regression, penguin_masses):
    transformed = TransformedTargetRegressor(regression, func=np.log, inverse_func=np.exp)
    transformed.fit(*penguin_masses)
    predicted = transformed.predict(penguin_masses[0])
    inner = transformed.regressor_.predict(penguin_masses[0])
    assert_array_equal(predicted, np.exp(inner))
    assert transformed.score(*penguin_masses) > 0.8


def test_standardized_target_equals_a_transformed_one(regression, penguin_masses):
    own = clone(regression).fit(*penguin_masses).predict(penguin_masses[0])
    regression.set_params(network__standardize_target=False)
    outside = TransformedTargetRegressor(regression, transformer=StandardScaler())
    outside.fit(*penguin_masses)
    assert_allclose(own, outside.predict(penguin_masses[0]), rtol=1e-4)


def test_permutation_importance_sees_what_the_pipeline_uses(pipeline, penguins):
    pipeline.fit(*penguins)
    importance = permutation_importance(pipeline, *penguins, n_repeats=3, random_state=0)
    means = dict(zip(penguins[0].columns, importance.importances_mean, strict=True))
    assert max(means, key=means.get) == "bill_length_mm"
    assert means["bill_length_mm"] > 0.1
    assert means["body_mass_g"] == 0


def test_partial_dependence_of_a_class(pipeline, penguins):
    pipeline.fit(*penguins)
    known = penguins[0].dropna()
    display = PartialDependenceDisplay.from_estimator(
        pipeline,
        known,
        ["flipper_length_mm", "island"],
        categorical_features=["island"],
        target="Gentoo",
        grid_resolution=10,
    )
    flipper, island = (result["average"][SPECIES.index("Gentoo")] for result in display.pd_results)
    assert flipper.shape == (10,)
    assert flipper[-1] > flipper[0] + 0.1
    assert island.shape == (3,)
    assert display.axes_.shape == (1, 2)


def test_partial_dependence_of_a_mass(regression, penguin_masses):
    X, y = penguin_masses
    display = PartialDependenceDisplay.from_estimator(
        regression.fit(X, y), X.dropna(), ["flipper_length_mm"], grid_resolution=10
    )
    (average,) = display.pd_results[0]["average"]
    assert y.min() < average.min() < average.max() < y.max()
    assert average[-1] > average[0] + 300


# --- around the network ------------------------------------------------------------------


def test_bagging_averages_networks_of_different_seeds(network, arrays):
    X, y = arrays
    bagging = BaggingClassifier(network, n_estimators=3, random_state=0).fit(X, y)
    members = [member.predict_proba(X) for member in bagging.estimators_]
    assert len({member.random_state for member in bagging.estimators_}) == 3
    assert_allclose(bagging.predict_proba(X), np.mean(members, axis=0))
    assert bagging.score(X, y) > 0.97
    assert_array_equal(bagging.predict_proba(X), clone(bagging).fit(X, y).predict_proba(X))


def test_boosting_weighs_the_rows_that_are_wrong(network, arrays):
    network.set_params(units=2, epochs=5)
    boosting = AdaBoostClassifier(network, n_estimators=5, random_state=0).fit(*arrays)
    weak, *_, boosted = boosting.staged_score(*arrays)
    assert len(boosting.estimators_) == 5
    assert (boosting.estimator_weights_ > 0).all()
    assert weak < 0.95 < boosted


def test_one_network_for_each_of_several_targets(network, arrays, penguins):
    X, species = arrays
    known = penguins[0]["sex"].notna().to_numpy()
    sex = penguins[0]["sex"].to_numpy(dtype=object)
    y = np.column_stack([species, sex])[known]
    several = MultiOutputClassifier(network).fit(X[known], y)
    predicted = several.predict(X[known])
    assert predicted.shape == y.shape
    assert [classes.tolist() for classes in several.classes_] == [SPECIES, ["female", "male"]]
    assert ((predicted == y).mean(axis=0) > 0.97).all()


@pytest.mark.parametrize("response", ["predict", "predict_proba", "decision_function"])
def test_decision_boundary_of_three_classes(response, network, arrays):
    X, y = arrays[0][:, :2], np.unique(arrays[1], return_inverse=True)[1]
    display = DecisionBoundaryDisplay.from_estimator(
        network.fit(X, y),
        X,
        response_method=response,
        class_of_interest=None if response == "predict" else 2,
        grid_resolution=20,
    )
    points = np.column_stack([display.xx0.ravel(), display.xx1.ravel()])
    expected = getattr(network, response)(points).reshape(400, -1)[:, -1]
    assert_array_equal(display.response, expected.reshape(20, 20))
    assert len(np.unique(display.response.round(2))) > 2


@pytest.mark.slow
def test_decision_boundary_of_two_classes_is_where_the_decision_is_zero(network, arrays):
    X, y = arrays[0][:, :2], arrays[1] == "Gentoo"
    network.fit(X, y)
    display = DecisionBoundaryDisplay.from_estimator(
        network, X, response_method="decision_function", grid_resolution=20
    )
    points = np.column_stack([display.xx0.ravel(), display.xx1.ravel()])
    assert_array_equal(display.response.ravel() > 0, network.predict(points))


# --- labels and data ---------------------------------------------------------------------

LABELS = {
    "strings": np.array(["setosa", "versicolor", "virginica"]),
    "objects": np.array(["setosa", "versicolor", "virginica"], dtype=object),
    "integers": np.array([7, -2, 40]),
    "two_strings": np.array(["no", "yes", "no"]),
    "booleans": np.array([False, True, True]),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_come_back_as_they_were(labels):
    X, codes = load_iris(return_X_y=True)
    y = labels[codes]
    estimator = make_pipeline(StandardScaler(), KerasDenseClassifier(**SETTINGS)).fit(X, y)
    predicted = estimator.predict(X)
    assert predicted.dtype == y.dtype
    assert_array_equal(estimator.classes_, np.unique(labels))
    assert set(predicted) == set(labels)
    assert (predicted == y).mean() > 0.9
    assert estimator.predict_proba(X).shape == (150, len(np.unique(labels)))


FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}
COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def iris_columns():
    """Return the standardised columns of the irises by name, and their species as text."""
    X, codes = load_iris(return_X_y=True)
    columns = StandardScaler().fit_transform(X).T
    return dict(zip(COLUMNS, columns, strict=True)), LABELS["strings"][codes]


@pytest.fixture(params=FRAMES.values(), ids=FRAMES)
def frame(request):
    return request.param


def test_frames_give_the_same_bits_as_arrays(frame, network):
    columns, y = iris_columns()
    X = np.column_stack(list(columns.values()))
    of_frame = clone(network).fit(frame(columns), y)
    assert of_frame.feature_names_in_.tolist() == COLUMNS
    assert not hasattr(network.fit(X, y), "feature_names_in_")
    assert_array_equal(of_frame.predict_proba(frame(columns)), network.predict_proba(X))


def test_series_of_labels(frame, network):
    columns, y = iris_columns()
    table = frame(columns | {"species": y})
    X = table[COLUMNS]
    assert network.fit(X, table["species"]).classes_.tolist() == LABELS["strings"].tolist()
    assert network.score(X, table["species"]) > 0.9


def test_columns_in_another_order_are_an_error(frame, network):
    columns, y = iris_columns()
    network.fit(frame(columns), y)
    turned = frame({name: columns[name] for name in reversed(COLUMNS)})
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        network.predict(turned)


def test_columns_of_other_names_are_an_error(frame, network):
    columns, y = iris_columns()
    network.fit(frame(columns), y)
    renamed = frame({name.replace("petal", "leaf"): column for name, column in columns.items()})
    with pytest.raises(ValueError, match=r"(?s)unseen at fit time:\n- leaf_length\n- leaf_width"):
        network.predict(renamed)


def test_array_after_a_frame_is_a_warning(frame, network):
    columns, y = iris_columns()
    network.fit(frame(columns), y)
    X = np.column_stack(list(columns.values()))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        predicted = network.predict(X)
    assert_array_equal(predicted, network.predict(frame(columns)))


def test_frame_after_an_array_is_a_warning(frame, network):
    columns, y = iris_columns()
    network.fit(np.column_stack(list(columns.values())), y)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        network.predict(frame(columns))


def test_pipeline_takes_a_polars_table_with_gaps(pipeline, penguins):
    X, y = penguins
    rows = X.astype(object).where(X.notna(), None)
    table = pl.DataFrame({name: rows[name].to_list() for name in rows})
    expected = clone(pipeline).fit(X, y).predict_proba(X)
    assert table.null_count().sum_horizontal().item() == 19
    assert_array_equal(pipeline.fit(table, y).predict_proba(table), expected)


SPARSE = [csr_array, csr_matrix, csc_array, csc_matrix]


@pytest.mark.parametrize("sparse", SPARSE)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_sparse_training_gives_the_same_bits_as_dense(estimator, sparse, arrays):
    X, species = arrays
    y = species if estimator is KerasDenseClassifier else X[:, 0] * X[:, 1]
    dense, thin = (estimator(**SETTINGS).fit(data, y) for data in (X, sparse(X)))
    for expected, weight in zip(dense.coefs_, thin.coefs_, strict=True):
        assert_array_equal(weight, expected)
    assert_array_equal(thin.predict(X), dense.predict(X))


@pytest.mark.parametrize("sparse", SPARSE)
def test_sparse_probabilities_equal_dense_ones(sparse, network, arrays):
    X, y = arrays
    network.fit(X, y)
    assert_allclose(network.predict_proba(sparse(X)), network.predict_proba(X), rtol=1e-9)
    assert_array_equal(network.predict(sparse(X)), network.predict(X))


def test_pipeline_with_a_sparse_table_equals_the_dense_one(pipeline, penguins):
    X, y = penguins
    dense = clone(pipeline).fit(X, y).predict_proba(X)
    pipeline.set_params(preprocessing__sparse_threshold=1.0).fit(X, y)
    assert pipeline["preprocessing"].sparse_output_
    assert_allclose(pipeline.predict_proba(X), dense, rtol=1e-9)


# --- copies and displays -----------------------------------------------------------------


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),  # noqa: S301 - our own
    "deepcopy": copy.deepcopy,
    "joblib": through_joblib,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_of_a_fitted_classifier_predict_the_same_bits(copied, pipeline, penguins):
    X, y = penguins
    twin = copied(pipeline.fit(X, y))
    assert_array_equal(twin.predict_proba(X), pipeline.predict_proba(X))
    assert_array_equal(twin.predict(X), pipeline.predict(X))
    assert_array_equal(clone(twin).fit(X, y).predict_proba(X), pipeline.predict_proba(X))


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_of_a_fitted_regressor_predict_the_same_bits(copied, regression, penguin_masses):
    X, y = penguin_masses
    twin = copied(regression.fit(X, y))
    assert_array_equal(twin.predict(X), regression.predict(X))
    assert twin.score(X, y) > 0.8


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_html_of_a_fitted_pipeline_names_the_estimator(estimator, preprocessing, penguin_masses):
    X, y = penguin_masses
    network = estimator(**SETTINGS)
    pipeline = Pipeline([("preprocessing", preprocessing), ("network", network)])
    assert "Not fitted" in pipeline._repr_html_()
    pipeline.fit(X, y > 4000 if estimator is KerasDenseClassifier else y)
    before = pickle.dumps(network)
    html = pipeline._repr_html_()
    assert estimator.__name__ in html
    assert "Not fitted" not in html
    assert pickle.dumps(network) == before


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_html_of_an_estimator_shows_its_parameters(estimator):
    html = estimator(units=(16, 8))._repr_html_()
    assert estimator.__name__ in html
    assert "(16, 8)" in html


@pytest.mark.slow
def test_html_of_a_fitted_estimator_lists_its_layers():
    network = KerasDenseClassifier(
        units=(16, 8), activation=("tanh", keras.layers.LeakyReLU()), dropout=(0.25, 0),
        batch_normalization=True, epochs=1,
    )  # fmt: skip
    X, y = load_iris(return_X_y=True)
    assert "parameters</summary>" not in network._repr_html_()
    network.fit(X, y)
    for html in (network._repr_html_(), network._repr_mimebundle_()["text/html"]):
        n_parameters = network.to_keras().count_params()
        assert f"4 features, 3 dense layers, {n_parameters:,} parameters</summary>" in html
        assert "<td>Dense, 16 units</td><td style='text-align: right'>80</td>" in html
        assert "<td>BatchNormalization</td>" in html
        assert "<td>Activation, LeakyReLU</td>" in html
        assert "<td>Dropout, 0.25</td>" in html
    with config_context(display="text"):
        assert not hasattr(network, "_repr_html_")
        assert "text/html" not in network._repr_mimebundle_()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_text_shows_only_what_was_changed(estimator):
    assert repr(estimator(units=(16, 8))) == f"{estimator.__name__}(units=(16, 8))"


class Narrow(KerasDenseClassifier):
    """Has fewer parameters than its base."""

    def __init__(self, width=3):
        super().__init__(units=width, epochs=2, random_state=0)
        self.width = width


class Named(KerasDenseRegressor):
    """Has one more parameter, without a constraint."""

    def __init__(self, *, name="", epochs=2, warm_start=False, random_state=0):
        super().__init__(epochs=epochs, warm_start=warm_start, random_state=random_state)
        self.name = name


@pytest.mark.slow
@pytest.mark.parametrize("network", [Narrow(), Named(name="here")], ids=["fewer", "other"])
def test_a_subclass_has_a_constructor_of_its_own(network):
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    fitted = clone(network).fit(X, y)
    assert fitted.get_params() == network.get_params()
    search = GridSearchCV(network, {next(iter(network.get_params())): [2, 4]}, cv=2)
    assert np.isfinite(search.fit(X, y).best_score_)
    twin = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - its own
    assert_array_equal(twin.predict(X), fitted.predict(X))
    twin.partial_fit(X, y) if isinstance(twin, Named) else twin.partial_fit(X, y, classes=[0, 1, 2])
    assert twin.n_iter_ == 3
    assert len(twin.to_keras().layers) == 3


def test_an_inherited_parameter_of_a_subclass_is_still_checked():
    with pytest.raises(ValueError, match="The 'units' parameter of Narrow must be"):
        Narrow(width=-1).fit([[0.0], [1.0]], [0, 1])
