"""What fresh processes load and print."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from skdense import KerasDenseClassifier, KerasDenseRegressor

X = np.random.default_rng(0).standard_normal((40, 3))


def run(code, *arguments):
    """Run code in a fresh process; returns its stdout and stderr."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_importing_loads_no_heavy_package():
    code = """
import sys, skdense
print(sorted({"tensorflow", "keras", "matplotlib"} & set(sys.modules)))
"""
    assert run(code)[0].strip() == "[]"


@pytest.mark.parametrize(
    "kind", [KerasDenseClassifier, pytest.param(KerasDenseRegressor, marks=pytest.mark.slow)]
)
def test_unpickling_and_predicting_never_loads_tensorflow(kind, tmp_path):
    y = np.digitize(X[:, 0], [0]) if kind is KerasDenseClassifier else X[:, 0]
    fitted = kind(units=5, epochs=2, batch_normalization=True, dropout=0.1, random_state=0)
    path = tmp_path / "estimator.pkl"
    path.write_bytes(pickle.dumps(fitted.fit(X, y)))
    np.save(tmp_path / "X.npy", X)
    code = """
import pickle, sys, numpy as np
sys.modules["tensorflow"] = None  # importing it raises
sys.modules["keras"] = None
folder = sys.argv[1]
estimator = pickle.load(open(folder + "/estimator.pkl", "rb"))
X = np.load(folder + "/X.npy")
np.save(folder + "/predicted.npy", estimator.predict(X))
if hasattr(estimator, "predict_proba"):
    estimator.predict_proba(X), estimator.decision_function(X)
estimator._repr_html_(), estimator.coefs_, estimator.loss_curve_
"""
    run(code, tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "predicted.npy"), fitted.predict(X))


@pytest.mark.slow
def test_a_silent_fit_in_a_fresh_process_prints_nothing():
    code = """
import numpy as np, skdense
X = np.random.default_rng(0).standard_normal((40, 3))
for units in range(1, 9):
    network = skdense.KerasDenseClassifier(units=units, epochs=2)
    network.fit(X, X[:, 0] > 0).predict(X)
for rate in (0.1, 0.2):
    skdense.KerasDenseRegressor(units=2, epochs=1, engine="keras").fit(X, X[:, 0])
"""
    assert run(code) == ("", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_what_a_process_does_at_its_end_its_forked_children_do_not():
    code = """
import os, sys
from skdense._backend.at_exit import at_exit

at_exit(lambda: print("at the end", flush=True))
if not os.fork():
    sys.exit()
os.wait()
"""
    assert run(code) == ("at the end\n", "")


@pytest.mark.slow
def test_programs_are_freed_before_python_takes_tensorflow_apart():
    code = """
import atexit, gc

@atexit.register  # first, and so called last
def count():
    from tensorflow.compat.v1 import Session
    print(sum(isinstance(found, Session) for found in gc.get_objects()))

from skdense import KerasDenseRegressor

KerasDenseRegressor(depth=0, epochs=1).fit([[0.0], [1.0]], [0.0, 1.0])
count()
"""
    assert run(code) == ("1\n0\n", "")
