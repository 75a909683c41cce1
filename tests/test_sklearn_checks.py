"""scikit-learn's own checks of all estimators, in several configurations."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)

# The checks use data of any scale, and say nothing of preprocessing.
pytestmark = pytest.mark.filterwarnings("ignore::skdense.FeatureScaleWarning")

LINEAR = {"depth": 0, "learning_rate": 0.1, "epochs": 200}
# One check is of class weights on unscaled data: small steps take long to train on them.
KERAS = {
    "engine": "keras",
    "units": (32, 16),
    "activation": "tanh",
    "l2": 1e-4,
    "learning_rate": 0.03,
    "learning_rate_schedule": None,
    "epochs": 30,
}
SEVERAL = {"input_scaling": "robust", "numeric_embedding": "piecewise_linear", "n_bins": 8}
SEVERAL |= {"learned_scale": True, "n_estimators": 2, "units": 16, "learning_rate": 0.01}
OF_TABLES = {"n_estimators": 2, "units": 16, "depth": 1, "epochs": 20, "learning_rate": 0.02}
NOISY = {"dropout": 0.1, "batch_normalization": True, "learning_rate": 0.01}

EQUIVALENCE = "masks of dropout, moments of a batch and folds belong to rows, whatever their weight"


def both(parameters):
    return [KerasDenseClassifier(**parameters), KerasDenseRegressor(**parameters)]


def not_equivalent(estimator):
    return {
        "check_sample_weight_equivalence_on_dense_data": EQUIVALENCE,
        "check_sample_weight_equivalence_on_sparse_data": EQUIVALENCE,
    }


@parametrize_with_checks(both({}))
def test_default(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(both(LINEAR))
def test_linear(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(both(KERAS))
def test_keras_engine(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(both(SEVERAL))
def test_several_networks_with_embedded_columns(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(both(NOISY), expected_failed_checks=not_equivalent)
def test_dropout_and_batch_normalization(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The folds hold no row")  # some checks have lone classes
@parametrize_with_checks(
    [KerasTabularClassifier(**OF_TABLES), KerasTabularRegressor(**OF_TABLES)],
    expected_failed_checks=not_equivalent,
)
def test_tables(estimator, check):
    check(estimator)
