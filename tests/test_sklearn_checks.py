"""scikit-learn's own checks of all estimators: all of them, and of variants what these change."""

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

# Two thirds of the checks are of names, tags, messages and shapes, which are the same whatever the
# network. Variants run the others.
OF_THE_NETWORK = {
    "check_class_weight_classifiers",
    "check_classifiers_classes",
    "check_classifiers_multilabel_output_format_decision_function",
    "check_classifiers_multilabel_output_format_predict_proba",
    "check_classifiers_train",
    "check_decision_proba_consistency",
    "check_dict_unchanged",
    "check_estimator_sparse_array",
    "check_estimators_dtypes",
    "check_estimators_partial_fit_n_features",
    "check_estimators_pickle",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_non_transformer_estimators_n_iter",
    "check_readonly_memmap_input",
    "check_regressor_multioutput",
    "check_regressors_int",
    "check_regressors_train",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}

EQUIVALENCE = "masks of dropout, moments of a batch and folds belong to rows, whatever their weight"


def both(parameters):
    return [KerasDenseClassifier(**parameters), KerasDenseRegressor(**parameters)]


def parametrize_with_checks_of_the_network(estimators, **kwargs):
    """Parametrize with those checks whose outcome the network decides."""
    mark = parametrize_with_checks(estimators, **kwargs)
    names, cases = mark.args

    def is_of_the_network(case):
        _, check = getattr(case, "values", case)  # those expected to fail are marked
        return check.func.__name__ in OF_THE_NETWORK and not check.keywords

    return pytest.mark.parametrize(names, list(filter(is_of_the_network, cases)), **mark.kwargs)


def not_equivalent(estimator):
    return {
        "check_sample_weight_equivalence_on_dense_data": EQUIVALENCE,
        "check_sample_weight_equivalence_on_sparse_data": EQUIVALENCE,
    }


@parametrize_with_checks(both({}))
def test_default(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks_of_the_network(both(LINEAR))
def test_linear(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks_of_the_network(both(KERAS))
def test_keras_engine(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks_of_the_network(both(SEVERAL))
def test_several_networks_with_embedded_columns(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks_of_the_network(both(NOISY), expected_failed_checks=not_equivalent)
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
