"""From a file to an estimator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ._estimators.classifier import KerasDenseClassifier
from ._estimators.copies import take_fit
from ._estimators.regressor import KerasDenseRegressor
from ._estimators.tabular_classifier import KerasTabularClassifier
from ._estimators.tabular_regressor import KerasTabularRegressor
from ._files.archive import DamagedFileError, read
from ._files.field_checks import require_parameters
from ._files.pickling import waiting
from ._files.values import Array, decode
from ._files.whole_checks import require_whole

Estimator = KerasDenseClassifier | KerasDenseRegressor

_KINDS: tuple[type[Estimator], ...] = (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)
_ESTIMATORS = {kind.__name__: kind for kind in _KINDS}


def load(path: str | os.PathLike[str]) -> Estimator:
    """Load an estimator from a file that its `save` wrote.

    Nothing in the file is run, and TensorFlow is not loaded, unless the network has an activation
    that only Keras computes: objects of Keras among the parameters are built when they are first
    read. Files from anybody are safe to load; pickles are not.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    KerasDenseClassifier, KerasDenseRegressor, KerasTabularClassifier or KerasTabularRegressor
        Which predicts the same, bit for bit, and trains on from where it was.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If `save` did not write it, or it is damaged, or of a newer release's format. What loads
        can predict, train on, be saved and converted, as far as that is known without Keras.

    Examples
    --------
    >>> import tempfile
    >>> import skdense
    >>> network = skdense.KerasDenseRegressor(units=4, epochs=2).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> path = f"{tempfile.mkdtemp()}/network.skdense"
    >>> network.save(path)
    >>> bool(skdense.load(path).predict([[0.5]]) == network.predict([[0.5]]))
    True
    """
    try:
        document, arrays = read(Path(path))
        return _estimator(document, arrays)
    except OSError:
        raise
    except DamagedFileError as error:
        reason = str(error)
    except Exception as error:  # of any kind, of a document that makes no sense
        reason = f"{type(error).__name__}: {error}"
    raise ValueError(
        f"load needs a whole file that an estimator's save wrote. Got {str(path)!r}, which is "
        f"none: {reason[:300]}."
    )


def _estimator(document: dict[str, Any], arrays: list[Array]) -> Estimator:
    estimator = _ESTIMATORS[document["estimator"]]()
    parameters = {name: decode(value, arrays) for name, value in document["parameters"].items()}
    fitted = decode(document["fitted"], arrays)
    unknown = parameters.keys() - vars(estimator).keys()
    if unknown:
        raise DamagedFileError(f"it holds {sorted(unknown)}")
    parameters = estimator.get_params() | parameters
    require_parameters(parameters, document["estimator"])
    estimator.__dict__ = waiting(parameters)
    if fitted is not None:
        require_whole(document["estimator"], fitted)
        take_fit(estimator, fitted)
    return estimator
