"""What `help` shows: sections that agree with signatures and annotations, and fit the class."""

import inspect
import re
from typing import get_type_hints

import pytest

from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)

KINDS = [
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
]


def sections(documented):
    """Return the sections of a docstring by their names; what stands before them under ""."""
    parts = re.split(r"(?m)^(\w[\w ]*)\n-{3,}\n", inspect.getdoc(documented))
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def names_in(section):
    """Return the names that a section of parameters or attributes documents."""
    lines = re.findall(r"(?m)^([\w*]+(?:, \w+)*) :|^(\*\*\w+)$", section)
    return [name.strip("*") for found in lines for name in "".join(found).split(", ")]


METHODS = {
    f"{kind.__name__}.{name}": method
    for kind in KINDS
    for name, method in inspect.getmembers(kind, inspect.isroutine)
    if not name.startswith("_") and method.__module__.startswith("skdense.")
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_methods_document_their_signature(method):
    found, signature = sections(method), inspect.signature(method)
    arguments = [name for name in signature.parameters if name != "self"]
    assert found[""].partition("\n")[0].endswith(".")
    assert names_in(found.get("Parameters", "")) == arguments
    assert ("Returns" in found) == (signature.return_annotation not in ("None", None))
    assert found.keys() <= {"", "Parameters", "Returns", "Raises", "Warns", "Notes", "Examples"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_classes_document_parameters_and_attributes(kind):
    found = sections(kind)
    assert names_in(found["Parameters"]) == list(inspect.signature(kind).parameters)
    properties = {name for name, _ in inspect.getmembers(kind, inspect.isdatadescriptor)}
    declared = {name for name in get_type_hints(kind).keys() | properties if name[0] != "_"}
    assert sorted(names_in(found["Attributes"])) == sorted(n for n in declared if n[-1] == "_")
    assert {"See Also", "Notes", "Examples"} <= found.keys()


@pytest.mark.parametrize("kind", KINDS[2:], ids=lambda kind: kind.__name__)
def test_estimators_of_tables_are_documented_for_tables(kind):
    public = [name for name in dir(kind) if name[0] != "_"]
    documented = {name: inspect.getdoc(getattr(kind, name, None)) or "" for name in public}
    documented["predict_quantiles"] = inspect.getdoc(vars(kind.mro()[1]).get("predict_quantiles"))
    for name, text in documented.items():
        assert not re.search("sparse|StandardScaler", text or ""), name
    of_rows = ("fit", "partial_fit", "predict", "predict_proba", "decision_function", "encode")
    for name in documented.keys() & of_rows:
        assert "X : DataFrame or array-like of shape (n_samples, n_features)" in documented[name]
    for name in documented.keys() & {"fit", "predict", "predict_proba", "predict_quantiles"}:
        assert documented[name] is None or "issing values" in documented[name]
    assert "KerasDense" not in documented["fit"]
