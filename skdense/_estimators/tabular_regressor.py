"""Tables as they are, to numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from .argument_hints import with_argument_hints
from .tabular_methods import TabularRegressorMethods


class KerasTabularRegressor(TabularRegressorMethods):
    """Dense neural networks for numbers, on tables of numbers, texts, categories and gaps.

    Takes what ``HistGradientBoostingRegressor`` takes: frames of pandas, Polars or PyArrow with
    text and missing values, and arrays. Trains eight networks with embedded columns, each of
    which holds out a fold of the rows, and predicts by their mean. The recipe consists only of
    parameters of `KerasDenseRegressor`, with other defaults.

    Parameters
    ----------
    categorical_features : "from_dtype", array-like of bool, int or str, or None, \
            default="from_dtype"
        Columns of categories, by a mask, their numbers or their names; others have to be of
        numbers. "from_dtype" takes those of a frame that are categories, texts, objects or
        booleans, and those of an array of objects that hold texts or booleans.
    min_frequency : int or float, default=2
        Categories of fewer training rows are one together, the infrequent category, as in
        ``sklearn.preprocessing.OneHotEncoder``: of fewer than so many rows, or below this
        fraction of them. Missing ones count as a category. 5 or more resist columns that are
        nearly names; 1 and 2 learn from categories of a few rows.
    max_categories : int or None, default=10_000
        Limit on the categories of a column, the infrequent one included, which has those of the
        fewest rows beyond. None for no limit.
    units : int or sequence of int, default=128
        Width of every hidden layer, or one width per hidden layer.
    depth : int or None, default=3
        Number of hidden layers. None means 2, or the length of `units` if that is a
        sequence, which a number must not contradict. 0 is a linear model.
    activation : str, callable, or sequence of them, default="gelu"
        Keras name or callable of the hidden layers' activation, or one per hidden layer.
    dropout : float or sequence of float, default=0.15
        Rate of dropout after each hidden layer, or one per hidden layer; below 1.
    batch_normalization : bool, default=False
        Whether each hidden layer is normalised before its activation.
    input_scaling : {"robust"} or None, default="robust"
        "robust" subtracts each column's median, divides by its interquartile range and clips
        softly at 3, as part of the network, fitted to the rows that it trains on.
    numeric_embedding : {"piecewise_linear", "periodic"} or None, default="piecewise_linear"
        What each column of more than two values becomes, after `input_scaling`: numbers that are
        learned functions of it, of straight pieces between quantiles of the rows that are
        trained on, or of cosines (arXiv 2203.05556, 2407.04491). For columns of a scale near 1.
    embedding_units : int, default=8
        Numbers that each such column becomes, and each column of more than 16 categories;
        "periodic" has the column itself as one of them.
    n_bins : int, default=48
        Pieces of "piecewise_linear", of as many rows each; less where values repeat.
        `partial_fit` takes those of the first chunk, and embeds every column.
    learned_scale : bool, default=True
        Whether each number that comes before the first layer has a learned factor, which starts
        at 1 and moves fast.
    n_estimators : int, default=8
        Networks of this architecture, trained side by side in one program, each from its own
        start and in its own order of rows. Their mean predicts, and is watched.
    kernel_initializer : str, callable or keras.initializers.Initializer, \
            default="he_normal"
        How the kernels start. A name or an initializer without a seed takes its seed from
        `random_state`.
    l1 : float, default=0.0
        Penalty on every kernel, the last one too, added to the loss as
        ``keras.regularizers.L1L2`` defines it.
    l2 : float, default=0.0
        L2 penalty on every kernel, likewise.
    output_activation : str or callable, default="auto"
        Activation of the output layer. "auto" is linear, or exponential for the Poisson loss.
    loss : str, callable or keras.losses.Loss, default="auto"
        Keras name, loss object, or function of (y_true, y_pred); or "pinball", for `quantiles`.
        "auto" is the squared error, or "pinball" where there are quantiles.
    quantiles : float, sequence of float, or None, default=None
        Levels of quantiles to learn, between 0 and 1, increasing; all at once, with an output
        for each. Those of a row are sorted, in training too, so that none crosses another.
        `predict` gives the one nearest to the median, of two as near their mean, and
        `predict_quantiles` all.
    metrics : str, callable, list of them, or None, default=None
        Further columns of `history_`: "accuracy", names of functions in ``keras.metrics``, or
        functions of (y_true, y_pred) that give one number for each row. Averaged over the rows of
        an epoch as Keras does, whatever the rows weigh; in
        standardised units where the target is standardised.
    optimizer : str or keras.optimizers.Optimizer, default="auto"
        Keras name, or an optimizer, which is only read: each fit starts a fresh one. "auto" is
        Adam with ``beta_2=0.95``.
    learning_rate : float, Keras' LearningRateSchedule, "auto" or None, default=0.01
        "auto" is 0.005 where `optimizer` is "adam" or "auto" and a schedule leads the rate to 0;
        else, as with None, the optimizer's own.
    learning_rate_schedule : {"auto", "cosine", "cosine_cycles"} or None, default="cosine_cycles"
        How the rate falls to 0 over the `epochs` of a fit: in half a cosine, or in four cycles,
        each twice as long as the last. Early stopping cuts it short, `refit_full` repeats it, and
        each fit under `warm_start` has its own. A callback that sets the rate ends it. "auto" is
        "cosine" where one `fit` with a rate that is a number trains all `epochs`, and None with
        `early_stopping`, `warm_start`, and in `partial_fit`.
    weight_decay : float or None, default=0.1
        As in Keras' optimizers, on all weights but those of `numeric_embedding` and
        `learned_scale`. None keeps the optimizer's own.
    clipnorm : float or None, default=None
        Bound on the norm of each weight's gradient. None keeps the optimizer's own clipping.
    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto" goes by the number of rows: 64 up to 1,024 rows, 128 up to
        8,192, 256 up to 30,000, 512 up to 100,000, and 1,024 above.
    epochs : int or "auto", default="auto"
        Number of epochs. "auto" picks it so that about 512,000 rows are seen in total, between 32
        and 128 epochs.
    shuffle : bool, default=True
        Whether each epoch visits the rows in a new order, drawn from `random_state`.
    early_stopping : bool, default=True
        Whether to stop when the watched score stalls, and to keep the weights of its best epoch.
    validation_fraction : float, "folds" or None, default="folds"
        Share of the rows that is held out and watched. None means 0.1 with `early_stopping`
        and none without. A number without `early_stopping` records the validation history and
        trains all epochs. With "folds" each of the `n_estimators` networks holds out its own,
        whose predictions are watched; one network alone holds out a tenth. Arguments `X_val` and
        `y_val` of `fit` take the place of all of these: every network is trained on all rows of X.
    scoring : str, callable or None, default="calibrated_loss"
        What is watched: "loss"; "calibrated_loss", of several networks the squared error of
        predictions drawn toward their mean as far as that helps, as the mean of networks does:
        it does not end a training where that still gains, and of `quantiles` their loss once each
        is shifted to lie above as many of these rows as it says, as it is when training has ended,
        until `partial_fit` goes on, and of one network their squared error; or a scikit-learn
        scorer or its name, greater being better; None is the `score` of the estimator. Of folds a
        scorer judges all rows together, each predicted by the network of its fold, which a last
        column of its X numbers. It is tried before the first epoch, on predictions that are right.
        Recorded as "val_loss", "val_calibrated_loss" or "val_score".
    patience : int or None, default=None
        Epochs in a row without an improvement by more than `min_delta`, at which to stop. None
        trains all of them, and keeps the best one.
    min_delta : float, default=0.0
        Improvement of the watched score that counts; of a loss, in
        standardised units where the target is standardised.
    refit_full : bool, default=False
        Whether, after early stopping, to train anew on all rows, those of `X_val` included, for
        `best_epoch_` epochs. `history_` and `n_iter_` stay those of the watched training, and
        callbacks see only that one.
    standardize_target : bool, default=True
        Whether to learn (y - mean) / standard deviation, which needs no other learning rate
        for dollars than for millions. Done with a linear output and squared error, absolute
        error, pinball, Huber or log-cosh loss; the delta of Huber then counts in standard
        deviations of y, as do penalties and clipping. Predictions, `coefs_` and `to_keras()` are in
        the target's own units.
    warm_start : bool, default=False
        Whether another `fit` goes on where the last one stopped: with the weights of its last
        epoch, optimizer state, epoch number, seed and split, for `epochs` further epochs. Learning
        rate, penalties, dropout rates and the like may change between the fits, the layers and the
        loss may not; another optimizer or engine begins its state anew. The best score so far
        counts on while the same rows are watched; patience that ran out starts over.
    callbacks : keras.callbacks.Callback, list of them, or None, default=None
        Used as they are given, and handed back without the model, so that what they recorded
        is theirs; fits in other threads that share one wait for each other. `clone` copies them,
        and shares what has no copy, such as a progress bar. A learning rate that they changed
        starts over at the next fit. Their `model` is built when one first looks at it. Callbacks
        that act on batches, SwapEMAWeights and BackupAndRestore need the Keras engine. Under
        `early_stopping` the best weights are kept, whatever callbacks restore at the end.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision of training. "auto" is float32, but float64 for float64 data whose rows fit
        in one batch. Predictions come in the dtype of X, or in float64 where float32 cannot
        hold y.
    verbose : {0, 1, 2}, default=0
        Silent, a progress bar over the epochs, or one line per epoch.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, row order and dropout. Fits with the same int give the same
        bits on one machine. None draws from NumPy's global random state, as everywhere in
        scikit-learn. An instance is drawn from by each fit, also by one that fails later.
    engine : {"auto", "compiled", "keras"}, default="auto"
        What trains: the compiled program, or ``keras.Model.fit``, many times slower. "auto"
        falls back on Keras, with a warning, where the compiled program does not cover the
        optimizer or the loss; "compiled" is an error there.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X had names that are all strings.
    n_outputs_ : int
        Number of units in the output layer.
    n_iter_ : int
        Number of epochs run, those of earlier fits included that this one went on from; the
        length of every list in `history_`. After `refit_full`, of the watched training.
    best_epoch_ : int
        Counted from 1. The epoch of the best watched score, whose weights are kept under early
        stopping, and for how many epochs `refit_full` trained; without validation the last one.
    validation_indices_ : ndarray of shape (n_held_out,)
        Rows of X that were held out by `validation_fraction` for all networks. Absent with folds,
        `X_val`, or without validation.
    validation_folds_ : ndarray of shape (n_samples,)
        With folds of several networks, which network held each row of X out; -1 for none. Absent
        otherwise.
    oof_prediction_ : ndarray of shape (n_samples,), (n_samples, n_targets) or with n_quantiles last
        With folds of several networks, what the network that held a row out predicts of it, of
        several `quantiles` all; NaN where none did. Quantiles are shifted by what the other folds
        only need. The epoch is the one with the best score over all folds, this row's among them.
        Absent otherwise.
    history_ : dict of str to list of float
        Under Keras' names, one value per epoch: "loss", the training loss with penalties,
        the `metrics`, the same of the validation rows with `val_` in front, "val_score" where
        `scoring` is a scorer, "val_calibrated_loss" where it is that, and what callbacks add,
        such as "learning_rate". Losses and metrics are in standardised units where the target
        is standardised.
    loss_curve_ : list of float
        ``history_["loss"]``.
    coefs_ : list of ndarray of shape (n_inputs, n_units)
        Kernel of each dense layer; of several networks with a leading axis, in y's own units.
    intercepts_ : list of ndarray of shape (n_units,)
        Bias of each dense layer, likewise.
    engine_ : {"compiled", "keras"}
        Which engine ran.

    See Also
    --------
    KerasDenseRegressor : One network for a matrix of numbers, with plain defaults.
    KerasTabularClassifier : The same for classes as targets.

    Notes
    -----
    A missing number becomes the median of the training rows, with a column that says so where
    training rows had gaps. A text, boolean or other category becomes -1 or 1 where there are two,
    0 and 1 in columns of their own for up to 16, and else `embedding_units` learned numbers.
    Missing ones, empty texts among them, are a category. Infrequent categories are merged to one,
    by `min_frequency` and `max_categories`. A category that was not seen in training is as the
    infrequent one. If there is none, it is predicted for as an average row: it becomes the mean of
    the training rows, of indicators, of learned numbers, or of -1 and 1. So does a missing
    one where training rows had none. `summary` says what each becomes. The order of categories
    counts for nothing. Dates have to be made numbers before.

    Columns of a frame are found by their names, in any order; where all are numbers, in the order
    of training, as everywhere in scikit-learn. Weights of 2 are not the same as rows that come
    twice, since folds are drawn by rows.

    `fit` warns with `skdense.FeatureTypeWarning` of columns that tell a network little as they
    are: numbers and dates in strings, identifiers, free text, categories of which most are
    infrequent. Categories that are intervals, as ``pandas.cut`` makes them, dates or periods count
    as their strings. Lazy frames have to be collected before.

    `partial_fit` leaves out what needs all rows: schedule, held-out rows, early stopping.
    Its first chunk tells columns, medians and categories for good.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdense import KerasTabularRegressor
    >>> table = pd.DataFrame({"size": [1.0, 2.0, None, 4.0] * 10, "color": [*"aabb"] * 10})
    >>> y = [1.0, 1.0, 9.0, 9.0] * 10
    >>> model = KerasTabularRegressor(epochs=20, random_state=0).fit(table, y)
    >>> model.predict(pd.DataFrame({"size": [4.0, 1.5], "color": ["b", "a"]})).round()
    array([9., 1.])
    """

    @with_argument_hints
    def __init__(
        self,
        *,
        categorical_features: Any = "from_dtype",
        min_frequency: float = 2,
        max_categories: int | None = 10_000,
        units: int | Sequence[int] = 128,
        depth: int | None = 3,
        activation: str | Callable[..., Any] | Sequence[Any] = "gelu",
        dropout: float | Sequence[float] = 0.15,
        batch_normalization: bool = False,
        input_scaling: Literal["robust"] | None = "robust",
        numeric_embedding: Literal["piecewise_linear", "periodic"] | None = "piecewise_linear",
        embedding_units: int = 8,
        n_bins: int = 48,
        learned_scale: bool = True,
        n_estimators: int = 8,
        kernel_initializer: str | Callable[..., Any] = "he_normal",
        l1: float = 0.0,
        l2: float = 0.0,
        output_activation: str | Callable[..., Any] = "auto",
        loss: str | Callable[..., Any] = "auto",
        quantiles: float | Sequence[float] | None = None,
        metrics: Any = None,
        optimizer: Any = "auto",
        learning_rate: Any = 0.01,
        learning_rate_schedule: Literal["auto", "cosine", "cosine_cycles"] | None = "cosine_cycles",
        weight_decay: float | None = 0.1,
        clipnorm: float | None = None,
        batch_size: int | Literal["auto"] = "auto",
        epochs: int | Literal["auto"] = "auto",
        shuffle: bool = True,
        early_stopping: bool = True,
        validation_fraction: float | Literal["folds"] | None = "folds",
        scoring: str | Callable[..., float] | None = "calibrated_loss",
        patience: int | None = None,
        min_delta: float = 0.0,
        refit_full: bool = False,
        standardize_target: bool = True,
        warm_start: bool = False,
        callbacks: Any = None,
        dtype: Literal["auto", "float32", "float64"] = "auto",
        verbose: Literal[0, 1, 2] = 0,
        random_state: Any = None,
        engine: Literal["auto", "compiled", "keras"] = "auto",
    ) -> None:
        self.categorical_features = categorical_features
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.units = units
        self.depth = depth
        self.activation = activation
        self.dropout = dropout
        self.batch_normalization = batch_normalization
        self.input_scaling = input_scaling
        self.numeric_embedding = numeric_embedding
        self.embedding_units = embedding_units
        self.n_bins = n_bins
        self.learned_scale = learned_scale
        self.n_estimators = n_estimators
        self.kernel_initializer = kernel_initializer
        self.l1 = l1
        self.l2 = l2
        self.output_activation = output_activation
        self.loss = loss
        self.quantiles = quantiles
        self.metrics = metrics
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.patience = patience
        self.min_delta = min_delta
        self.refit_full = refit_full
        self.standardize_target = standardize_target
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state
        self.engine = engine
