"""scikit-learn's own checks, with no expected failure."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skdense import KerasDenseClassifier, KerasDenseRegressor

CONFIGURATIONS = {
    "default": {},
}


@parametrize_with_checks([KerasDenseClassifier(), KerasDenseRegressor()])
def test_default(estimator, check):
    check(estimator)
