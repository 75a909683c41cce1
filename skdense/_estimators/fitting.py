"""A fit, from the data to what it leaves. The estimator stays as it is meanwhile."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from sklearn.base import is_classifier

from .._backend.descriptions import describe
from .._backend.loading import require_eager
from .._problem.calibration.choice import find_calibrations
from .._problem.calibration.temperature import require_logits
from .._problem.caller import is_one_of_many_fits, warn_of_interruption
from .._problem.collected import require_collected
from .._problem.constraints import check_parameters
from .._problem.cross_checks import (
    check_agreement,
    check_stream_agreement,
    leave_out_what_needs_all_rows,
    resolve_validation_fraction,
    uses_folds,
)
from .._problem.data_checks import warn_about_scale
from .._problem.fitted import KEPT_PARAMETERS, Fitted
from .._problem.folds import hold_out_folds, hold_out_groups, number_folds, read_groups
from .._problem.given import Given
from .._problem.labels import require_all_classes, require_labels_of_stream
from .._problem.out_of_fold import predict_out_of_fold
from .._problem.parameters import draw_seed, resolve_epochs, settle_optimizer_and_rate
from .._problem.problem import Problem, choose_precision, choose_precision_of_chunk, pose_problem
from .._problem.reading import Data, Reader
from .._problem.rows import Rows
from .._problem.split import hold_out
from .._problem.tables import takes_tables
from .._problem.tasks import make_tasks
from .._problem.validation_score import make_score
from .._problem.warm_start import join_histories, resume, states_to_keep
from .._training.engines import train
from .._training.task import (
    Draw,
    Outcome,
    TrainingFailure,
    TrainingResult,
    generator,
)
from .copies import copy_with_fit
from .sklearn_callbacks import ReportedFit


class _Trained(NamedTuple):
    fitted: Fitted
    was_interrupted: bool  # by Ctrl-C


def leave_fit(estimator: Any, given: Given, given_val: Given, groups: Any = None) -> Fitted:
    """Return what a fit leaves.

    Parameters
    ----------
    estimator
    given : Given
        To train on.
    given_val : Given
        To watch; all None for nothing.
    groups : array-like or None
        Of rows that are held out together, or not at all.
    """
    parameters = check_parameters(estimator)
    check_agreement(parameters, given_val, has_groups=groups is not None)
    require_collected(groups, "groups")
    fraction = resolve_validation_fraction(parameters, given_val)
    report = ReportedFit(estimator, resolve_epochs(parameters["epochs"], n_samples=1), given)
    before = _find_fit_before(estimator) if parameters["warm_start"] else None
    seed = before.seed if before else draw_seed(parameters["random_state"])
    data, held_out = _read_all(estimator, parameters, given, given_val, fraction, before)
    used, indices, folds = data.rows, None, None
    random, codes = generator(seed, Draw.SPLIT), read_groups(groups, data.rows.X.shape[0])
    if fraction is not None:
        if codes is None:
            used, held_out = hold_out(used, fraction, random, data.labels)
        else:
            used, held_out = hold_out_groups(used, random, data.labels, codes)
        indices = held_out.index
    elif uses_folds(parameters, given_val):
        n_folds = int(parameters["n_estimators"])
        folds = hold_out_folds(used, n_folds, random, data.labels, codes)
    require_eager()
    parameters = settle_optimizer_and_rate(parameters, is_stream=False)
    problem = pose_problem(parameters, data, used, held_out, seed=seed, before=before, folds=folds)
    draft = _make_draft(problem, before, indices)
    if folds:
        draft = replace(draft, validation_folds=number_folds(folds, used.X.shape[0]))
    if parameters.get("calibration") is not None:
        require_logits(problem)
    trained = _train_on(estimator, problem, draft, before, problem.epochs, report=report)
    calibrations = find_calibrations(trained.fitted, problem)
    if parameters["refit_full"] and not trained.was_interrupted:
        rows = data.rows.followed_by(held_out) if fraction is None and held_out else data.rows
        trained = _train_again(estimator, parameters, data, rows, trained.fitted)
    if trained.was_interrupted:
        warn_of_interruption(trained.fitted.n_epochs)
    fitted = calibrations.by_all(trained.fitted)
    if folds:
        n_samples = used.X.shape[0]
        predictions = predict_out_of_fold(trained.fitted, folds, calibrations.by_others, n_samples)
        fitted = replace(fitted, oof_prediction=predictions)
    report.fit_ended(fitted)
    return fitted


def fit_chunk(estimator: Any, given: Given, classes: Any = None) -> Fitted:
    """Return what one epoch on a chunk of a stream leaves.

    Parameters
    ----------
    estimator
    given : Given
    classes : array-like or None
        Of a classifier's stream, all that are ever to come.
    """
    parameters = check_parameters(estimator)
    if takes_tables(estimator):
        parameters = leave_out_what_needs_all_rows(parameters)
    check_stream_agreement(parameters)
    check_agreement(parameters, Given(None, None, None), has_groups=False)
    before, labels = _find_fit_before(estimator), None
    if is_classifier(estimator):
        labels = require_labels_of_stream(classes, given.y, before.labels if before else None)
    precision = choose_precision_of_chunk(parameters, given, before)
    table = before.table if before else None
    reader = Reader(copy.copy(estimator), precision, labels, table, is_new=before is None)
    data = reader.read(given)
    seed = before.seed if before else draw_seed(parameters["random_state"])
    require_eager()
    parameters = settle_optimizer_and_rate(parameters, is_stream=True)
    problem = pose_problem(
        parameters, data, data.rows, None, seed=seed, before=before, is_chunk=True
    )
    draft = _make_draft(problem, before, before.validation_indices if before else None)
    return _train_on(estimator, problem, draft, before, epochs=1).fitted


def _find_fit_before(estimator: Any) -> Fitted | None:
    found: Fitted | None = vars(estimator).get("_fitted")
    return found


def _read_all(
    estimator: Any,
    parameters: dict[str, Any],
    given: Given,
    given_val: Given,
    fraction: float | None,
    before: Fitted | None,
) -> tuple[Data, Rows | None]:
    if uses_folds(parameters, given_val):
        fraction = 1 / parameters["n_estimators"]
    precision = choose_precision(parameters, given, fraction)
    known = (before.labels, before.table) if before else (None, None)
    reader = Reader(copy.copy(estimator), precision, *known, is_new=before is None)
    data = reader.read(given, least=2)
    if data.labels is not None:
        # Classes that weigh nothing are none to a new network, and no surprise to another.
        codes = data.rows.y if before else data.rows.targets
        owner = type(estimator).__name__
        require_all_classes(data.labels, codes, owner, is_new=before is None)
    return data, reader.read_held_out(given_val)


def _make_draft(problem: Problem, before: Fitted | None, validation_indices: Any) -> Fitted:
    """Return what the fit will leave, as far as that is known before training."""
    kept = {name: problem.parameters.get(name) for name in KEPT_PARAMETERS}
    return Fitted(
        parameters=describe(kept),
        n_features=problem.n_features,
        feature_names=problem.feature_names,
        labels=problem.labels,
        class_weights=problem.class_weights,
        target=problem.target,
        network=problem.network,
        members=(),
        history=before.history if before else {"loss": []},
        best_epoch=0,
        engine="",
        validation_indices=validation_indices,
        seed=problem.seed,
        batch_size=problem.batch_size,
        dtype=problem.dtype,
        mean_weight=problem.mean_weight,
        watched=problem.watched,
        states=(),
        table=problem.table,
    )


def _train_on(
    estimator: Any,
    problem: Problem,
    draft: Fitted,
    before: Fitted | None,
    epochs: int,
    *,
    report: ReportedFit | None = None,
    is_again: bool = False,
) -> _Trained:
    """Train on a problem, from where a fit before ended, or once again where nobody looks."""
    starts = resume(before, problem) if before else None
    tasks = make_tasks(
        problem,
        starts,
        make_score(partial(copy_with_fit, estimator), draft, problem),
        epochs=epochs,
        listener=report.listener(draft) if report else None,
        has_callbacks=not is_again,
    )
    if not (starts or is_again or problem.parameters["input_scaling"]):
        warn_about_scale(problem.rows.X, None if problem.table else problem.feature_names)
    results = _require_all(train(tasks))
    fitted = replace(
        draft,
        members=tuple(result.weights for result in results),
        history=join_histories(draft.history, results[0].history),
        best_epoch=results[0].best_epoch,
        engine=results[0].engine,
        states=states_to_keep(results, is_watched_on=bool(problem.parameters["warm_start"])),
    )
    return _Trained(fitted, any(result.was_interrupted for result in results))


def _require_all(outcomes: list[Outcome]) -> list[TrainingResult]:
    """Return results; raises the first failure."""
    failed = next((one.error for one in outcomes if isinstance(one, TrainingFailure)), None)
    if failed is None:
        return [one for one in outcomes if not isinstance(one, TrainingFailure)]
    outcomes.clear()
    try:
        raise failed
    finally:
        del failed  # or else it and this frame, which its traceback has, hold each other


def _train_again(
    estimator: Any, parameters: dict[str, Any], data: Data, rows: Rows, watched: Fitted
) -> _Trained:
    """Train anew on all rows, for the best number of epochs; what was watched stays.

    Where Ctrl-C ends it, the watched network stays too.
    """
    problem = pose_problem(parameters, data, rows, None, seed=watched.seed, before=None)
    draft = _make_draft(problem, None, watched.validation_indices)
    try:
        trained = _train_on(estimator, problem, draft, None, watched.best_epoch, is_again=True)
    except KeyboardInterrupt:
        if is_one_of_many_fits():
            raise
        return _Trained(watched, was_interrupted=True)
    if trained.was_interrupted:
        return _Trained(watched, was_interrupted=True)
    fitted = replace(trained.fitted, history=watched.history, best_epoch=watched.best_epoch)
    return _Trained(fitted, was_interrupted=False)
