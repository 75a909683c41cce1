"""What type checkers know of the estimators."""

import re
from pathlib import Path
from textwrap import dedent

import pytest
from mypy import api

ROOT = Path(__file__).parents[1]

SCRIPT = """
    from skdense import (
        KerasDenseClassifier,
        KerasDenseRegressor,
        KerasTabularClassifier,
        KerasTabularRegressor,
    )

    X, y = [[0.0], [1.0]], [0.0, 1.0]
    network = KerasDenseRegressor(units=4).fit(X, y)
    network.history_["loss"], network.n_features_in_, network.feature_names_in_, network.predict(X)
    network.set_params(units=3).set_fit_request(sample_weight=True).partial_fit(X, y).coefs_
    network.get_params()["units"], network.score(X, y), network.set_callbacks()
    network.histry_  # error
    network.set_param(units=4)  # error
    network.predict_proba(X)  # error
    KerasDenseClassifier().fit(X, y).score(X, y), KerasDenseClassifier().classes_
    KerasDenseClassifier(engine="keras", dtype="float64", verbose=2, class_weight="balanced")
    KerasDenseClassifier(batch_size=32, class_weight={"a": 2.0}, units=[3, 2])
    KerasDenseClassifier(engine="kers")  # error
    KerasDenseClassifier(dtype="float16")  # error
    KerasDenseClassifier(batch_size="aut")  # error
    KerasDenseClassifier(class_weight="balance")  # error
    KerasDenseClassifier(verbose=3)  # error
    KerasDenseClassifier(standardize_target=True)  # error
    KerasDenseClassifier(epoch=3)  # error
    network.fit(X, y, epochs=3)  # error
    tabular = KerasTabularRegressor(quantiles=(0.1, 0.9)).fit(X, y, X_val=X, y_val=y)
    tabular.predict_quantiles(X).shape, tabular.oof_prediction_.shape, tabular.encode(X).shape
    tabular.validation_folds_.shape, tabular.validation_indices_.shape
    tabular.temperature_  # error
    tabular.predict_quantile(X)  # error
    tabular.summary(expand=True), tabular.summary(expands=True)  # error
    classifier = KerasTabularClassifier(categorical_features=[0]).fit(X, y)
    classifier.temperature_ + 1.0, classifier.oof_prediction_.shape, classifier.best_epoch_ + 1
    classifier.predict_proba(X).shape, classifier.decision_function(X).shape, classifier.n_outputs_
    classifier.classes_.shape, classifier.predict(X, verbose=0)  # error
"""


@pytest.mark.slow
def test_misspelt_attributes_and_values_are_errors(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(dedent(SCRIPT))
    reported, broken, _ = api.run([str(script), "--config-file", str(ROOT / "pyproject.toml")])
    assert not broken
    lines = script.read_text().splitlines()
    expected = {number for number, line in enumerate(lines, 1) if line.endswith("# error")}
    assert {int(line) for line in re.findall(r"script\.py:(\d+): error", reported)} == expected
