"""Keras models that become estimators, and estimators that become Keras models."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone

from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._networks.network import Activation
from skdense._networks.numpy_activations import NUMPY_ACTIVATIONS

# Of Keras, when it saves on NumPy 2.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4)).astype(np.float32)
CODES = np.arange(60) % 3
layers = keras.layers


def trained(*stages, loss="mse", target=None, dtype="float32"):
    """Return a compiled model that has seen some rows."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,), dtype=dtype), *stages])
    model.compile("adam", loss)
    n_outputs = model.output_shape[1]
    y = RNG.standard_normal((60, n_outputs)) if target is None else target
    model.fit(X, y, epochs=2, verbose=0)
    return model


def untrained(*stages, n_inputs=4, dtype="float32"):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((n_inputs,), dtype=dtype), *stages])


STAGES = {
    "usual": lambda: [
        layers.Dense(5, "relu"),
        layers.Dropout(0.2),
        layers.Dense(4, "tanh"),
    ],
    "normalized": lambda: [
        layers.Dense(5),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Dropout(0.5),
    ],
    "other_order": lambda: [
        layers.Dropout(0.1),
        layers.BatchNormalization(epsilon=1e-5, center=False),
        layers.Dense(5, "elu", use_bias=False),
        layers.BatchNormalization(scale=False, momentum=0.9),
        layers.LeakyReLU(negative_slope=0.3),
        layers.Dense(3),
    ],
    "activation_first": lambda: [layers.Activation("tanh"), layers.Dense(5, "relu")],
    "linear": list,
}


@pytest.mark.slow
@pytest.mark.parametrize("stages", STAGES)
def test_a_regressor_predicts_what_its_model_does(stages):
    model = trained(*STAGES[stages](), layers.Dense(1))
    network = KerasDenseRegressor.from_keras(model)
    expected, before = model.predict(X, verbose=0), X.copy()
    assert_allclose(network.predict(X), expected[:, 0], rtol=1e-5, atol=1e-6)
    assert_allclose(network.predict(csr_array(X)), expected[:, 0], rtol=1e-5, atol=1e-6)
    assert_array_equal(X, before)
    assert_allclose(network.to_keras().predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)
    assert network.history_ == {"loss": []}
    assert network.n_features_in_ == 4


def test_several_outputs_stay_several():
    model = trained(layers.Dense(2))
    assert KerasDenseRegressor.from_keras(model).predict(X).shape == (60, 2)


@pytest.mark.slow
@pytest.mark.parametrize("stages", ["usual", "normalized", "linear"])
def test_parameters_describe_the_model(stages):
    model = trained(*STAGES[stages](), layers.Dense(1))
    network = KerasDenseRegressor.from_keras(model)
    twin = clone(network).set_params(epochs=1).fit(X, X[:, 0])
    assert twin._fitted.network == network._fitted.network
    assert isinstance(network.optimizer, keras.optimizers.Adam)
    assert network.loss == "mse"


def test_training_goes_on():
    model = trained(layers.Dense(5, "relu"), layers.Dense(1))
    network = KerasDenseRegressor.from_keras(model)
    network.set_params(warm_start=True, epochs=30, random_state=0)
    before = network.score(X, X[:, 0])
    assert network.fit(X, X[:, 0]).score(X, X[:, 0]) > before
    assert network.n_iter_ == 30
    network.partial_fit(X, X[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize(("n_rows", "batch_size"), [(60, 64), (3_000, 128)])
def test_the_first_chunk_settles_the_size_of_batches(n_rows, batch_size):
    network = KerasDenseRegressor.from_keras(trained(layers.Dense(1)))
    chunk = np.resize(X, (n_rows, X.shape[1]))
    network.partial_fit(chunk, chunk[:, 0]).partial_fit(X[:5], X[:5, 0])
    fresh = KerasDenseRegressor(depth=0).partial_fit(chunk, chunk[:, 0])
    assert network._fitted.batch_size == fresh._fitted.batch_size == batch_size


def test_layers_in_another_order_cannot_be_trained_on():
    network = KerasDenseRegressor.from_keras(trained(*STAGES["other_order"](), layers.Dense(1)))
    with pytest.raises(ValueError, match="go on with the fitted network"):
        network.partial_fit(X, X[:, 0])


def test_a_classifier_takes_classes_in_any_order():
    one_hot = np.eye(3)[CODES]
    model = trained(layers.Dense(3, "softmax"), loss="categorical_crossentropy", target=one_hot)
    expected = model.predict(X, verbose=0)
    network = KerasDenseClassifier.from_keras(model, classes=["trouser", "bag", "coat"])
    assert list(network.classes_) == ["bag", "coat", "trouser"]
    assert_allclose(network.predict_proba(X), expected[:, [1, 2, 0]], rtol=1e-5)
    names = np.array(["trouser", "bag", "coat"])
    assert_array_equal(network.predict(X), names[expected.argmax(axis=1)])
    numbered = KerasDenseClassifier.from_keras(model)
    assert list(numbered.classes_) == [0, 1, 2]
    assert numbered.set_params(warm_start=True, epochs=1).fit(X, CODES).n_iter_ == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("sigmoid", "binary_crossentropy"),
        ("linear", keras.losses.BinaryCrossentropy(from_logits=True)),
        ("tanh", "hinge"),
    ],
)
def test_a_single_output_speaks_for_the_second_class(activation, loss):
    model = trained(layers.Dense(1, activation), loss=loss, target=CODES > 0)
    in_order = KerasDenseClassifier.from_keras(model, classes=["no", "yes"])
    reversed_ = KerasDenseClassifier.from_keras(model, classes=["yes", "no"])
    assert list(reversed_.classes_) == ["no", "yes"]
    p = in_order.predict_proba(X)
    if activation == "sigmoid":
        assert_allclose(p[:, 1], model.predict(X, verbose=0)[:, 0], rtol=1e-5)
    assert_allclose(reversed_.predict_proba(X), p[:, ::-1], rtol=1e-5, atol=1e-6)


def test_outputs_may_be_labels_of_their_own():
    y = np.c_[CODES > 0, CODES > 1].astype(int)
    model = trained(layers.Dense(2, "sigmoid"), loss="binary_crossentropy", target=y)
    network = KerasDenseClassifier.from_keras(model, multi_label=True)
    expected = model.predict(X, verbose=0)
    assert_allclose(network.predict_proba(X), expected, rtol=1e-5)
    assert_array_equal(network.predict(X), expected > 0.5)
    with pytest.raises(ValueError, match="classes must be None with multi_label=True"):
        KerasDenseClassifier.from_keras(model, classes=["a", "b"], multi_label=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "classes",
    [
        ["a"],
        ["a", "b"],
        ["a", "b", "b"],
        [["a", "b", "c"]],
        "abc",
        {"a", "b", "c"},
        {"a": 0, "b": 1, "c": 2}.keys(),
        {"a": 0, "b": 1, "c": 2}.values(),
        iter("abc"),
    ],
    ids=["one", "two", "twice", "2-D", "text", "set", "keys", "values", "iterator"],
)
def test_classes_must_be_as_many_as_the_outputs_and_in_their_order(classes):
    model = trained(layers.Dense(3, "softmax"))
    with pytest.raises(ValueError, match="classes must be 3 different labels"):
        KerasDenseClassifier.from_keras(model, classes=classes)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([np.nan, 0, 1], r"classes must hold labels only. Got 1 missing value\(s\), such as nan"),
        (["a", np.nan, "b"], "classes must hold labels only. .* such as nan"),
        ([None, "a", "b"], "classes must hold labels only. .* such as None"),
        (["a", 1, 2], "classes must hold labels of one kind, .* Got int, str"),
    ],
)
def test_classes_must_be_labels(classes, message):
    with pytest.raises(ValueError, match=message):
        KerasDenseClassifier.from_keras(untrained(layers.Dense(3, "softmax")), classes=classes)


def test_one_output_alone_has_no_softmax():
    sole = untrained(layers.Dense(1, "log_softmax"))
    with pytest.raises(ValueError, match="Got one output under 'log_softmax'"):
        KerasDenseClassifier.from_keras(sole)


def test_other_layers_are_refused_by_name():
    model = trained(layers.Dense(4), layers.LayerNormalization(name="norm"), layers.Dense(1))
    with pytest.raises(ValueError, match=r"layer 'norm', of the class LayerNormalization"):
        KerasDenseRegressor.from_keras(model)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: keras.Sequential([layers.Dense(1)]), "must take rows of features"),
        (lambda: keras.Sequential([keras.Input((2, 3)), layers.Dense(1)]), "rows of features"),
        (lambda: keras.Sequential([keras.Input((2,)), layers.Dropout(0.1)]), "a Dense layer"),
        (
            lambda: keras.Sequential(
                [keras.Input((2,)), layers.Dense(1), layers.BatchNormalization()]
            ),
            "must end in a Dense layer",
        ),
        (
            lambda: keras.Sequential([keras.Input((2,)), layers.Dense(1, own_activation), Own()]),
            "of the class Own",
        ),
    ],
)
def test_models_of_other_shapes_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        KerasDenseRegressor.from_keras(model())


@pytest.mark.parametrize("loss", [None, ["mse"], {"only": "mse"}], ids=str)
def test_a_compiled_model_has_one_loss(loss):
    model = untrained(layers.Dense(1, name="only"))
    model.compile("adam", loss)
    with pytest.raises(ValueError, match=r"one loss, or not be compiled. Got .* with one"):
        KerasDenseRegressor.from_keras(model)


def test_a_single_output_of_another_range_speaks_for_the_last_class():
    model = untrained(layers.Dense(1, "hard_sigmoid"))
    model.compile("adam", "mse")
    network = KerasDenseClassifier.from_keras(model, classes=[0, 1])
    assert_array_equal(network.predict(X), np.ravel(model(X) > 0.5))
    with pytest.raises(ValueError, match=r"must be sorted.* output of 'hard_sigmoid'. Give it"):
        KerasDenseClassifier.from_keras(model, classes=[1, 0])


class Own(layers.Dense):
    def __init__(self):
        super().__init__(1)


def own_activation(x):
    return keras.ops.tanh(x)


def test_what_is_no_sequential_is_refused():
    inputs = keras.Input((2,))
    functional = keras.Model(inputs, layers.Dense(1)(inputs))
    for model in (functional, "model.keras", None):
        with pytest.raises(TypeError, match=r"model must be a keras\.Sequential"):
            KerasDenseRegressor.from_keras(model)


def test_functions_of_the_user_are_kept():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, own_activation), layers.Dense(1)])
    network = KerasDenseRegressor.from_keras(model)
    assert network._fitted.network.stages[1] == Activation(own_activation)
    assert_allclose(network.predict(X), model.predict(X, verbose=0)[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_file_of_keras_goes_both_ways(tmp_path):
    network = KerasDenseClassifier(
        units=(6, 4), dropout=0.1, batch_normalization=True, epochs=2, random_state=0
    ).fit(X, CODES)
    network.to_keras().save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert_allclose(model.predict(X, verbose=0), network.predict_proba(X), rtol=1e-5)
    again = KerasDenseClassifier.from_keras(model)
    assert_allclose(again.predict_proba(X), network.predict_proba(X), rtol=1e-5)
    assert again._fitted.network == network._fitted.network


def test_keras_draws_the_model():
    network = KerasDenseRegressor(units=6, depth=1, epochs=1).fit(X, X[:, 0])
    drawn = keras.utils.model_to_dot(network.to_keras(), show_shapes=True).to_string()
    assert "(None, 6)" in drawn


def test_double_precision_stays_double():
    model = keras.Sequential([keras.Input((4,), dtype="float64"), layers.Dense(1, dtype="float64")])
    network = KerasDenseRegressor.from_keras(model)
    assert network.coefs_[0].dtype == np.float64


def test_checkpoints_become_estimators(tmp_path):
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", monitor="val_loss", save_best_only=True
    )
    y = 100 + 20 * X[:, 0]
    network = KerasDenseRegressor(
        units=6, epochs=4, early_stopping=True, callbacks=best, random_state=0
    ).fit(X, y)
    loaded = KerasDenseRegressor.from_keras(keras.saving.load_model(tmp_path / "best.keras"))
    assert_allclose(loaded.predict(X), network.predict(X), rtol=1e-5)


def test_rescaling_anywhere_else_is_refused():
    model = keras.Sequential([keras.Input((2,)), layers.Rescaling(2.0), layers.Dense(1)])
    with pytest.raises(ValueError, match="of the class Rescaling"):
        KerasDenseRegressor.from_keras(model)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, "relu"), layers.Rescaling(2.0)])
    with pytest.raises(ValueError, match="must be linear before the layer 'rescaling"):
        KerasDenseRegressor.from_keras(model)


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have a `quantize`:UserWarning")
@pytest.mark.parametrize(
    "mode",
    [
        "int8",
        pytest.param(
            "int4",
            marks=pytest.mark.skipif(
                not hasattr(keras.quantizers, "pack_int4"), reason="Keras 3.10 has no such mode"
            ),
        ),
        "float8",
    ],
)
def test_quantized_layers_are_refused_by_name(mode):
    model = untrained(layers.Dense(8, "relu", name="small"), layers.Dense(1))
    model.quantize(mode)
    with pytest.raises(ValueError, match=f"not quantized. Got the layer 'small' under <.*{mode}"):
        KerasDenseRegressor.from_keras(model)


def doubled(kind):
    """Return a class that does twice what a class of Keras does."""

    class Doubled(kind):
        def call(self, inputs, **kwargs):
            return 2 * super().call(inputs, **kwargs)

    return Doubled


@pytest.mark.parametrize(
    "stages",
    [
        lambda: [doubled(layers.Dense)(3), layers.Dense(1)],
        lambda: [doubled(layers.Dropout)(0.1), layers.Dense(1)],
        lambda: [doubled(layers.BatchNormalization)(), layers.Dense(1)],
        lambda: [doubled(layers.ReLU)(), layers.Dense(1)],
        lambda: [layers.Dense(1, doubled(layers.ReLU)())],
        lambda: [layers.Dense(1, layers.PReLU())],
        lambda: [layers.Dense(1), doubled(layers.Rescaling)(1.0)],
    ],
)
def test_classes_derived_from_those_of_keras_are_refused(stages):
    with pytest.raises(ValueError, match=r"Got the layer '.*', .*of the class (Doubled|PReLU)\."):
        KerasDenseRegressor.from_keras(untrained(*stages()))


def test_a_model_with_a_call_of_its_own_is_refused():
    model = doubled(keras.Sequential)([keras.Input((4,)), layers.Dense(1)])
    with pytest.raises(TypeError, match="of no class derived from it"):
        KerasDenseRegressor.from_keras(model)


def with_weights(layer, **values):
    """Return a model in which some of a layer's weights are these, in all places."""
    model = untrained(layer, layers.Dense(1))
    for name, value in values.items():
        variable = getattr(layer, name)
        variable.assign(np.full(variable.shape, value))
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: with_weights(layers.Dense(2, name="d"), kernel=np.nan), "in the kernel of .* 'd'"),
        (lambda: with_weights(layers.Dense(2, name="d"), bias=np.inf), "in the bias of .* 'd'"),
        (
            lambda: with_weights(layers.BatchNormalization(name="n"), moving_variance=np.inf),
            "in the moving_variance of the layer 'n'",
        ),
        (
            lambda: with_weights(layers.BatchNormalization(name="n"), moving_variance=-1),
            "variances above 0. Got -1.0, and epsilon=0.001, in the layer 'n'",
        ),
        (
            lambda: keras.Sequential(
                [
                    keras.Input(batch_shape=(8, 4)),
                    layers.BatchNormalization(axis=0, name="n"),
                    layers.Dense(1),
                ]
            ),
            "normalise columns. Got the layer 'n' with axis=0",
        ),
        (
            lambda: untrained(layers.Dense(3), layers.Softmax(axis=0, name="s")),
            "Got the layer 's' with axis=0",
        ),
        (
            lambda: untrained(layers.Dense(3, layers.Softmax(axis=0), name="d")),
            "Got the layer 'd' with axis=0",
        ),
        (lambda: untrained(layers.Dense(1), dtype="int32"), "floating-point numbers. Got int32"),
        (
            lambda: untrained(layers.Dense(3), layers.Rescaling([[1.0], [2.0], [3.0]], name="r")),
            r"Got shapes \(3, 1\) and \(\) in the layer 'r'",
        ),
    ],
)
def test_what_would_predict_something_else_is_refused_by_name(model, message):
    with pytest.raises(ValueError, match=message):
        KerasDenseRegressor.from_keras(model())


def changed_layer(model):
    call = model.layers[0].call
    model.layers[0].call = lambda *args, **kwargs: call(*args, **kwargs) * 1.001


def changed_model(model):
    call = model.call
    model.call = lambda *args, **kwargs: keras.ops.maximum(call(*args, **kwargs), 0)


def activation_across_rows(model):
    model.layers[0].activation = lambda x: x - keras.ops.mean(x, axis=0)


@pytest.mark.parametrize("change", [changed_layer, changed_model, activation_across_rows])
def test_what_a_model_computes_is_compared(change):
    model = untrained(layers.Dense(8, "tanh"), layers.Dense(2))
    KerasDenseRegressor.from_keras(model)
    change(model)
    with pytest.raises(ValueError, match=r"compute what its layers do .* Got other outputs"):
        KerasDenseRegressor.from_keras(model)


DTYPES = ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16", "float32", "float64"]


def of_dtype(dtype, *stages, n_inputs=4):
    """Return a model whose layers all have a dtype policy, as has its input."""
    for layer in stages:
        layer.dtype_policy = keras.DTypePolicy(dtype)
    return untrained(*stages, n_inputs=n_inputs, dtype=dtype.removeprefix("mixed_"))


def stack(n_layers, units, activation="relu"):
    return [layers.Dense(units, activation) for _ in range(n_layers)]


MODELS = {
    "deep": lambda dtype: of_dtype(dtype, *stack(20, 32, "elu"), layers.Dense(1)),
    "wide": lambda dtype: of_dtype(dtype, *stack(1, 512), layers.Dense(9), n_inputs=3000),
    "huge outputs": lambda dtype: of_dtype(
        dtype, *stack(2, 32, "relu6"), layers.Dense(3, "exponential", kernel_initializer="ones")
    ),
    "saturated outputs": lambda dtype: of_dtype(
        dtype, *stack(2, 32), layers.Dense(3, "sigmoid", kernel_initializer=wide_normal())
    ),
    "minute numbers": lambda dtype: of_dtype(
        dtype, layers.Dense(32, "elu", kernel_initializer=wide_normal(1e-6)), layers.Dense(1)
    ),
    "jumps": lambda dtype: of_dtype(dtype, *stack(3, 256, "hard_shrink"), layers.Dense(1)),
    "minute variances": lambda dtype: of_dtype(
        dtype,
        layers.BatchNormalization(moving_variance_initializer="zeros", epsilon=1e-5),
        layers.Dense(4),
    ),
}


def wide_normal(stddev=30.0):
    return keras.initializers.RandomNormal(stddev=stddev, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_rounding_is_no_other_output(make, dtype):
    network = KerasDenseRegressor.from_keras(make(dtype))
    KerasDenseRegressor.from_keras(network.to_keras())


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_every_activation_comes_back(dtype):
    for name in NUMPY_ACTIVATIONS:
        model = of_dtype(dtype, layers.Dense(16, name), layers.Dense(3, name))
        KerasDenseRegressor.from_keras(model)


def test_activations_that_are_layers_may_have_a_coarser_dtype():
    model = untrained(layers.Dense(64, layers.LeakyReLU(dtype="float16")), layers.Dense(1))
    expected = model.predict(X, verbose=0)[:, 0]
    assert_allclose(KerasDenseRegressor.from_keras(model).predict(X), expected, atol=1e-2)


def test_what_only_training_sees_makes_no_difference():
    lora = layers.Dense(6, "relu", kernel_regularizer="l2", activity_regularizer="l1")
    frozen = layers.Dense(5, "tanh", kernel_constraint="non_neg", trainable=False)
    model = untrained(lora, frozen, layers.BatchNormalization(trainable=False), layers.Dense(1))
    lora.enable_lora(2)
    lora.lora_kernel_b.assign(np.ones((2, 6)))
    expected = model.predict(X, verbose=0)[:, 0]
    network = KerasDenseRegressor.from_keras(model)
    assert_allclose(network.predict(X), expected, rtol=1e-5, atol=1e-6)


def test_variances_of_0_keep_a_minute_epsilon():
    normalization = layers.BatchNormalization(moving_variance_initializer="zeros", epsilon=1e-12)
    model = untrained(normalization, layers.Dense(1))
    expected = model.predict(X, verbose=0)[:, 0]
    assert_allclose(KerasDenseRegressor.from_keras(model).predict(X), expected, rtol=1e-4)


def test_own_units_far_from_0_come_back():
    y = 1e9 + X[:, 0]
    network = KerasDenseRegressor(units=6, epochs=1, random_state=0).fit(X, y)
    again = KerasDenseRegressor.from_keras(network.to_keras())
    rows = X.astype(np.float64)
    assert_allclose(again.predict(rows), network.predict(rows), rtol=1e-12)
