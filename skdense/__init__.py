"""Dense neural networks for scikit-learn, trained by Keras.

Importing this package is light: TensorFlow loads at the first fit, and prediction never needs
it.
"""

from joblib import register_parallel_backend as _register_parallel_backend

from ._backend.disk_cache import set_cache_dir
from ._backend.warnings import SlowEngineWarning
from ._displays.error_analysis import ErrorAnalysisDisplay
from ._displays.training_history import TrainingHistoryDisplay
from ._estimators.classifier import KerasDenseClassifier
from ._estimators.regressor import KerasDenseRegressor
from ._estimators.tabular_classifier import KerasTabularClassifier
from ._estimators.tabular_regressor import KerasTabularRegressor
from ._load import load
from ._onnx import register as _register
from ._onnx import to_onnx
from ._onnx_import import tell_when_imported as _tell_when_imported
from ._problem.data_checks import FeatureScaleWarning
from ._problem.feature_types import FeatureTypeWarning
from ._searches.backend import FitSchedulerBackend as _FitSchedulerBackend
from ._training.caches import clear_cache

_tell_when_imported(_register)
_register_parallel_backend("skdense", _FitSchedulerBackend)

__version__ = "0.1.0"

_ESTIMATORS = (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)

# What `skops.io.load` and mlflow are to trust, so that they load pipelines of these estimators: of
# scikit-learn and NumPy, what skops does not trust by itself.
skops_trusted_types = [
    *(f"{_kind.__module__}.{_kind.__name__}" for _kind in _ESTIMATORS),
    "numpy.dtype",
    "sklearn.compose._column_transformer.make_column_selector",
]

__all__ = [
    "ErrorAnalysisDisplay",
    "FeatureScaleWarning",
    "FeatureTypeWarning",
    "KerasDenseClassifier",
    "KerasDenseRegressor",
    "KerasTabularClassifier",
    "KerasTabularRegressor",
    "SlowEngineWarning",
    "TrainingHistoryDisplay",
    "clear_cache",
    "load",
    "set_cache_dir",
    "skops_trusted_types",
    "to_onnx",
]
