"""Searches and cross-validation of a pipeline over a table of texts, numbers and gaps."""

import keras
import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from scipy.stats import loguniform, uniform
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - allows its import
from sklearn.metrics import accuracy_score, get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline

from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._training.program import trace_count

SETTINGS = {"units": 8, "depth": 1, "epochs": 20, "learning_rate": 0.03, "random_state": 0}
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
ESTIMATORS = [KerasDenseClassifier, KerasDenseRegressor]


@pytest.fixture
def pipeline(preprocessing):
    return Pipeline(
        [("preprocessing", preprocessing), ("network", KerasDenseClassifier(**SETTINGS))]
    )


@pytest.fixture
def regression(preprocessing):
    return Pipeline(
        [("preprocessing", preprocessing), ("network", KerasDenseRegressor(**SETTINGS))]
    )


def split_scores(search, scorer="score"):
    """Return the test scores of a search, (candidates, folds)."""
    names = [f"split{i}_test_{scorer}" for i in range(search.n_splits_)]
    return np.column_stack([search.cv_results_[name] for name in names])


# --- grids -------------------------------------------------------------------------------


@pytest.mark.slow
def test_grid_search_over_units_depth_activation_and_rate_at_once(pipeline, penguins):
    grid = {
        "network__units": [4, 8],
        "network__depth": [0, 1],
        "network__activation": ["relu", "tanh"],
        "network__learning_rate": [1e-5, 0.03],
    }
    search = GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=FOLDS).fit(*penguins)
    scores = split_scores(search).reshape(2, 2, 2, 2, 3)  # activation, depth, rate, units, fold
    assert np.isfinite(scores).all()
    assert search.best_params_["network__learning_rate"] == 0.03
    assert (scores[:, :, 1] > scores[:, :, 0]).all()
    linear, hidden = scores[:, 0, 1].reshape(4, 3), scores[:, 1, 1].reshape(4, 3)
    assert (linear == linear[0]).all()
    assert len({tuple(own) for own in hidden}) == 4
    assert search.score(*penguins) > -0.1


def test_grid_search_finds_the_better_regressor(regression, penguin_masses):
    search = GridSearchCV(
        regression,
        {"network__learning_rate": [1e-5, 0.03], "network__standardize_target": [True, False]},
        cv=KFold(3, shuffle=True, random_state=0),
    ).fit(*penguin_masses)
    assert search.best_params_ == {
        "network__learning_rate": 0.03,
        "network__standardize_target": True,
    }
    assert search.best_score_ > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("units", [(16,), (16, 8)]),
        ("units", [[16], [16, 8]]),
        ("dropout", [(0.5,), (0.1,)]),
        ("activation", [("relu",), ("tanh",)]),
    ],
)
def test_sequences_are_candidates_like_others(name, values, pipeline, penguins):
    pipeline.set_params(network__depth=None if name == "units" else 1)
    parameter = f"network__{name}"
    search = GridSearchCV(pipeline, {parameter: values}, scoring="neg_log_loss", cv=FOLDS)
    search.fit(*penguins)
    assert list(search.cv_results_[f"param_{parameter}"]) == values
    for value, scores in zip(values, split_scores(search), strict=True):
        candidate = pipeline.set_params(**{parameter: value})
        alone = cross_val_score(candidate, *penguins, scoring="neg_log_loss", cv=FOLDS)
        assert_array_equal(scores, alone)
    assert search.best_estimator_["network"].get_params()[name] in values


def test_widths_given_as_sequences_reach_the_network(pipeline, penguins):
    pipeline.set_params(network__depth=None)
    search = GridSearchCV(pipeline, {"network__units": [(16, 8)]}, cv=FOLDS).fit(*penguins)
    assert [kernel.shape for kernel in search.best_estimator_["network"].coefs_] == [
        (9, 16),
        (16, 8),
        (8, 3),
    ]


# --- Keras objects -----------------------------------------------------------------------


KERAS_OBJECTS = {
    "activation": [keras.activations.gelu, keras.activations.tanh],
    "kernel_initializer": [
        keras.initializers.HeNormal(seed=1),
        keras.initializers.RandomUniform(seed=2),
    ],
    "learning_rate": [
        keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=20, decay_rate=0.5),
        keras.optimizers.schedules.CosineDecay(0.03, decay_steps=80),
    ],
    "loss": [
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        keras.losses.CategoricalFocalCrossentropy(),
    ],
    "optimizer": [keras.optimizers.SGD(0.1), keras.optimizers.Adam()],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS_OBJECTS)
def test_keras_objects_are_candidates_like_others(name, pipeline, penguins):
    values = KERAS_OBJECTS[name]
    if name == "optimizer":
        pipeline.set_params(network__learning_rate=None)
    parameter = f"network__{name}"
    search = GridSearchCV(pipeline, {parameter: values}, scoring="neg_log_loss", cv=FOLDS)
    search.fit(*penguins)
    first, second = split_scores(search)
    assert (first != second).all()
    for value, scores in zip(values, (first, second), strict=True):
        candidate = pipeline.set_params(**{parameter: value})
        alone = cross_val_score(candidate, *penguins, scoring="neg_log_loss", cv=FOLDS)
        assert_array_equal(scores, alone)


def test_search_leaves_a_given_optimizer_as_it_was(pipeline, penguins):
    optimizers = KERAS_OBJECTS["optimizer"]
    before = [optimizer.get_config() for optimizer in optimizers]
    pipeline.set_params(network__learning_rate=None)
    GridSearchCV(pipeline, {"network__optimizer": optimizers}, cv=FOLDS).fit(*penguins)
    assert [optimizer.get_config() for optimizer in optimizers] == before
    assert not any(optimizer.built for optimizer in optimizers)


# --- other searches ----------------------------------------------------------------------


@pytest.mark.slow
def test_randomized_search_over_rates_compiles_one_program(pipeline, penguins):
    pipeline.set_params(network__units=7)
    distributions = {
        "network__learning_rate": loguniform(1e-3, 0.1),
        "network__l2": loguniform(1e-6, 1e-3),
        "network__dropout": uniform(0.05, 0.3),
    }
    search = RandomizedSearchCV(pipeline, distributions, n_iter=6, cv=FOLDS, random_state=0)
    before = trace_count()
    search.fit(*penguins)
    assert trace_count() - before <= 1
    assert len(set(search.cv_results_["param_network__learning_rate"])) == 6
    assert search.best_score_ > 0.95
    assert_array_equal(split_scores(search), split_scores(clone(search).fit(*penguins)))


@pytest.mark.slow
def test_halving_search_over_rows(pipeline, penguins):
    rates = {"network__learning_rate": [1e-5, 1e-4, 0.01, 0.03]}
    search = HalvingGridSearchCV(
        pipeline, rates, factor=2, min_resources=80, cv=FOLDS, random_state=0
    ).fit(*penguins)
    assert search.n_resources_ == [80, 160, 320]
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_params_["network__learning_rate"] >= 0.01
    assert search.score(*penguins) > 0.95


def test_halving_search_over_epochs(pipeline, penguins):
    search = HalvingGridSearchCV(
        pipeline,
        {"network__learning_rate": [1e-5, 1e-4, 0.01, 0.03]},
        resource="network__epochs",
        factor=2,
        min_resources=10,
        max_resources=40,
        scoring="neg_log_loss",
        cv=FOLDS,
        random_state=0,
    ).fit(*penguins)
    assert search.n_resources_ == [10, 20, 40]
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_params_["network__learning_rate"] >= 0.01
    assert search.best_estimator_["network"].n_iter_ == 40


# --- cross-validation --------------------------------------------------------------------


def test_cross_validation_of_a_classifier_with_several_scorers(pipeline, penguins):
    scoring = ["roc_auc_ovr", "neg_log_loss", "accuracy"]
    result = cross_validate(pipeline, *penguins, cv=FOLDS, scoring=scoring, return_train_score=True)
    levels = {"roc_auc_ovr": 0.98, "neg_log_loss": -0.2, "accuracy": 0.95}
    for name, level in levels.items():
        assert result[f"test_{name}"].shape == (3,)
        assert (result[f"test_{name}"] > level).all()
        assert (result[f"train_{name}"] > level).all()


def test_cross_validation_of_a_regressor_with_several_scorers(regression, penguin_masses):
    scoring = ["r2", "neg_mean_absolute_error"]
    folds = KFold(3, shuffle=True, random_state=0)
    result = cross_validate(regression, *penguin_masses, cv=folds, scoring=scoring)
    assert (result["test_r2"] > 0.75).all()
    assert (result["test_neg_mean_absolute_error"] > -300).all()


def test_unshuffled_folds_of_a_table_sorted_by_species(pipeline, penguins):
    assert (cross_val_score(pipeline, *penguins, cv=3) > 0.95).all()


# --- workers -----------------------------------------------------------------------------

# Importing TensorFlow takes each new process some seconds.
BACKENDS = ["threading", pytest.param("loky", marks=pytest.mark.slow)]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_workers_give_the_same_bits_as_one(
    backend, pipeline, regression, penguins, penguin_masses
):
    grid = {"network__dropout": [0.0, 0.2], "network__learning_rate": [0.01, 0.03]}
    search = GridSearchCV(
        pipeline, grid, scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss", cv=FOLDS
    )

    def run(n_jobs):
        found = clone(search).set_params(n_jobs=n_jobs).fit(*penguins)
        tables = [split_scores(found, scorer) for scorer in ("accuracy", "neg_log_loss")]
        probabilities = cross_val_predict(
            pipeline, *penguins, cv=FOLDS, method="predict_proba", n_jobs=n_jobs
        )
        masses = cross_val_predict(regression, *penguin_masses, cv=3, n_jobs=n_jobs)
        return [*tables, found.predict_proba(penguins[0]), probabilities, masses]

    with parallel_config(backend=backend):
        alone, together = run(1), run(2)
    for one, two in zip(alone, together, strict=True):
        assert_array_equal(one, two)


def test_repeated_search_gives_the_same_bits(pipeline, penguins):
    search = GridSearchCV(
        pipeline, {"network__learning_rate": [0.01, 0.03]}, scoring="neg_log_loss", cv=FOLDS
    )
    first, second = clone(search).fit(*penguins), clone(search).fit(*penguins)
    assert_array_equal(split_scores(first), split_scores(second))
    assert_array_equal(first.predict_proba(penguins[0]), second.predict_proba(penguins[0]))


# --- candidates that fail ----------------------------------------------------------------


@pytest.fixture
def diverging_search(pipeline):
    pipeline.set_params(network__optimizer="sgd")
    return GridSearchCV(pipeline, {"network__learning_rate": [1e30, 0.03]}, cv=FOLDS)


# GridSearchCV warns of a non-finite mean besides the failed fits, which the test expects.
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_diverging_candidate_scores_nan_and_loses(diverging_search, penguins):
    with pytest.warns(FitFailedWarning, match=r"(?s)3 fits failed.*loss must stay finite"):
        diverging_search.fit(*penguins)
    scores = split_scores(diverging_search)
    assert np.isnan(scores[0]).all()
    assert np.isfinite(scores[1]).all()
    assert diverging_search.best_params_ == {"network__learning_rate": 0.03}


def test_diverging_candidate_takes_the_error_score(diverging_search, penguins):
    diverging_search.set_params(error_score=-1.0)
    with pytest.warns(FitFailedWarning, match="3 fits failed"):
        diverging_search.fit(*penguins)
    assert (split_scores(diverging_search)[0] == -1).all()


def test_diverging_candidate_raises_if_asked_to(diverging_search, penguins):
    diverging_search.set_params(error_score="raise")
    with pytest.raises(ValueError, match=r"loss must stay finite.*learning_rate=1e\+30"):
        diverging_search.fit(*penguins)


# --- sample weights ----------------------------------------------------------------------


@pytest.fixture
def weights(penguins):
    """Adelies count little, and one in four penguins not at all."""
    species = penguins[1].to_numpy()
    weights = np.where(species == "Adelie", 0.01, 1.0)
    weights[::4] = 0
    return weights


def weighted_search(pipeline, scoring=None):
    grid = {"network__learning_rate": [0.01, 0.03]}
    return GridSearchCV(pipeline, grid, scoring=scoring, cv=FOLDS)


@pytest.fixture
def routing(pipeline):
    """Route metadata for the length of a test, none of them to the scaler."""
    with config_context(enable_metadata_routing=True):
        scaler = pipeline.get_params()["preprocessing__numbers__scale"]
        scaler.set_fit_request(sample_weight=False)
        yield


def test_routed_weights_reach_the_network(routing, pipeline, penguins, weights):
    pipeline["network"].set_fit_request(sample_weight=True)
    scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=False)
    routed = weighted_search(pipeline, scorer).fit(*penguins, sample_weight=weights)
    unweighted = weighted_search(pipeline, scorer).fit(*penguins)
    with config_context(enable_metadata_routing=False):
        prefixed = weighted_search(pipeline, "neg_log_loss")
        prefixed.fit(*penguins, network__sample_weight=weights)
    assert_array_equal(split_scores(routed), split_scores(prefixed))
    assert_array_equal(routed.predict_proba(penguins[0]), prefixed.predict_proba(penguins[0]))
    assert (split_scores(routed) != split_scores(unweighted)).all()


def test_routed_weights_reach_the_score(routing, pipeline, penguins, weights):
    X, y = penguins
    network = pipeline["network"].set_params(epochs=3)
    network.set_fit_request(sample_weight=False).set_score_request(sample_weight=True)
    score = pipeline.fit(X, y).score(X, y, sample_weight=weights)
    assert score == accuracy_score(y, pipeline.predict(X), sample_weight=weights)
    assert score != pipeline.score(X, y)


def test_weights_nobody_requested_are_an_error(routing, pipeline, penguins, weights):
    with pytest.raises(UnsetMetadataPassedError, match=r"KerasDenseClassifier\.fit"):
        pipeline.fit(*penguins, sample_weight=weights)


# --- parameters --------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clone_keeps_every_parameter(estimator):
    given = {name: f"a value for {name}" for name in estimator().get_params()}
    assert clone(estimator(**given)).get_params() == given


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS_OBJECTS)
def test_clone_keeps_keras_objects(name, preprocessing, penguins):
    value = KERAS_OBJECTS[name][0]
    network = KerasDenseClassifier(**SETTINGS).set_params(**{name: value})
    if name == "optimizer":
        network.set_params(learning_rate=None)
    copied = clone(network)
    assert type(copied.get_params()[name]) is type(value)
    if hasattr(value, "get_config"):
        assert copied.get_params()[name].get_config() == value.get_config()
    X = preprocessing.fit_transform(penguins[0])
    first, second = (each.fit(X, penguins[1]) for each in (network, copied))
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))


class Undescribed(keras.losses.MeanSquaredError):
    def get_config(self):
        raise NotImplementedError


def test_clone_shares_keras_objects_without_a_configuration():
    loss = Undescribed()
    assert clone(KerasDenseClassifier(loss=loss)).loss is loss


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_parameters_are_set_through_the_pipeline(estimator, preprocessing):
    pipeline = Pipeline([("preprocessing", preprocessing), ("network", estimator())])
    assert pipeline.get_params()["network__units"] == 128
    pipeline.set_params(network__units=(16, 8), network__l2=0.1)
    assert pipeline["network"].units == (16, 8)
    assert pipeline["network"].get_params()["l2"] == 0.1
    with pytest.raises(ValueError, match="Invalid parameter 'width'"):
        pipeline.set_params(network__width=3)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_constructor_takes_keywords_only(estimator):
    with pytest.raises(TypeError, match="positional"):
        estimator(128)
