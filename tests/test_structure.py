"""The architecture, held by tests: what imports what, and what is exported."""

import ast
from pathlib import Path

import pytest

import skdense

PACKAGE = Path(skdense.__file__).parent

# Imports point to the left, never to the right or sideways within a level.
LEVELS = [
    {"_sklearn_bases", "_warnings"},
    {"_disk_cache", "_garbage", "_held_interrupts", "_sparse", "_standardizing"},
    {"_tensorflow"},
    {"_activations", "_keras_objects"},
    {"_network"},
    {"_comparing", "_html", "_keras_view", "_onnx_graph", "_reading_keras"},
    {
        "training.early_stopping",
        "training.forward",
        "training.losses",
        "training.naming",
        "training.optimizers",
        "training.prefetching",
        "training.progress",
        "training.stand_in",
    },
    {"training.borrowing", "training.metrics", "training.packing"},
    {"training.task"},
    {"training.batches", "training.program", "training.schedules"},
    {
        "training.callbacks",
        "training.evaluation",
        "training.gradients",
        "training.initializers",
        "training.keras_data",
        "training.watching",
    },
    {"training.keras_engine", "training.networks", "training.room"},
    {"training.loop"},
    {"training.engines"},
    {"training"},
    {"_heads", "_interruption", "_labels", "_parameters", "_validation"},
    {"_adopting", "_agreement", "_class_weights", "_rows", "_targets"},
    {"_continuing", "_scoring"},
    {"_archive", "_copying", "_document", "_domains", "_pickling", "_sklearn_callbacks"},
    {"_wholeness"},
    {"_saving"},
    {"_task"},
    {"_base"},
    {"_classifier", "_regressor"},
    {"_histories", "_onnx", "_panels", "_persistence", "_samples"},
    {"_sample_panels", "_training_history_display"},
    {"_error_analysis_display"},
    {""},
]
PRIVATE = {
    ("_parameters", "sklearn.utils._param_validation"),
    ("_tensorflow", "tensorflow.python.framework"),
}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    .removesuffix("__init__")
    .rstrip("."): path
    for path in PACKAGE.rglob("*.py")
}


def level(module):
    return next(number for number, modules in enumerate(LEVELS) if module in modules)


def imports(path):
    """Yield (statement, absolute name) of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node, name.name
        elif isinstance(node, ast.ImportFrom):
            folder = path.parent
            for _ in range(max(0, node.level - 1)):
                folder = folder.parent
            base = ["skdense", *folder.relative_to(PACKAGE).parts] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            for name in node.names:
                inner = f"{start}.{name.name}".removeprefix("skdense.")
                yield node, f"skdense.{inner}" if inner in MODULES else start


def test_every_module_has_its_level():
    assert set(MODULES) == set().union(*LEVELS)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_one_way(module):
    for _, name in imports(MODULES[module]):
        if name.partition(".")[0] == "skdense":
            imported = name.removeprefix("skdense").removeprefix(".")
            assert level(imported) < level(module), f"{module} imports {imported}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_heavy_imports_stay_inside_functions(module):
    for node, name in imports(MODULES[module]):
        package = name.partition(".")[0]
        if package in {"tensorflow", "keras", "matplotlib", "pandas"}:
            assert node.col_offset > 0, f"{module} imports {name} at its top"
        if package in {"tensorflow", "keras"}:
            assert module == "_tensorflow", f"{module} imports {name} itself"
        if package == "sklearn":
            assert not module.startswith("training")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_private_interfaces_of_others_have_one_place(module):
    for _, name in imports(MODULES[module]):
        parts = name.split(".")
        if parts[0] in {"sklearn", "keras", "tensorflow", "scipy", "numpy"}:
            private = any(part.startswith("_") or part in {"src", "python"} for part in parts[1:])
            assert (module, name) in PRIVATE or not private, f"{module} imports {name}"


def test_exported_names():
    assert sorted(skdense.__all__) == skdense.__all__
    assert set(skdense.__all__) == {
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
    }
    public = {name for name in vars(skdense) if not name.startswith("_")} - {"training"}
    assert public == set(skdense.__all__)
    for name in skdense.__all__:
        assert getattr(skdense, name).__doc__
