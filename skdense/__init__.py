"""Dense neural networks for scikit-learn, trained by Keras.

Importing this package is light: TensorFlow loads at the first fit, and prediction never needs
it.
"""

from ._classifier import KerasDenseClassifier
from ._disk_cache import set_cache_dir
from ._error_analysis_display import ErrorAnalysisDisplay
from ._onnx import to_onnx
from ._persistence import load
from ._regressor import KerasDenseRegressor
from ._training_history_display import TrainingHistoryDisplay
from ._validation import FeatureScaleWarning
from .training import SlowEngineWarning, clear_cache

__version__ = "0.1.0"

__all__ = [
    "ErrorAnalysisDisplay",
    "FeatureScaleWarning",
    "KerasDenseClassifier",
    "KerasDenseRegressor",
    "SlowEngineWarning",
    "TrainingHistoryDisplay",
    "clear_cache",
    "load",
    "set_cache_dir",
    "to_onnx",
]
