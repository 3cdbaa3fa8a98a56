"""A model as data: what the ONNX graph and the skops file contain, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import onnx
import pytest

from modelcycle.faults import Tampered
from modelcycle.model import export
from tests.unit.learning_tables import lifecycle, odd_table


@pytest.fixture(scope="module")
def model() -> tuple[bytes, bytes]:
    life = lifecycle(odd_table("binary", rows=400), training={"trials": 1})
    _, selected = life.train(life.engineer())
    return life.store.read(selected.onnx), life.store.read(selected.skops)


def test_the_graph_has_one_output_and_names_its_packages(model: tuple[bytes, bytes]) -> None:
    loaded = onnx.load_from_string(model[0])
    onnx.checker.check_model(loaded)
    assert [output.name for output in loaded.graph.output] == ["probabilities"]
    assert [graph_input.name for graph_input in loaded.graph.input] == [f"x{n}" for n in range(len(loaded.graph.input))]
    domains = [entry.domain for entry in loaded.opset_import]
    assert domains == sorted(domains)
    properties = {entry.key: entry.value for entry in loaded.metadata_props}
    assert json.loads(properties["packages"]) == export.package_versions()
    assert properties["opset"] == str(export.OPSET)


def test_no_node_of_the_graph_needs_a_locale(model: tuple[bytes, bytes]) -> None:
    kinds = {node.op_type for node in onnx.load_from_string(model[0]).graph.node}
    assert "StringNormalizer" not in kinds
    assert "Tokenizer" in kinds


def test_a_skops_file_with_an_untrusted_type_is_not_loaded(model: tuple[bytes, bytes]) -> None:
    export.from_skops(model[1])
    import skops.io

    with pytest.raises(Tampered, match="the skops file contains untrusted types"):
        export.from_skops(skops.io.dumps({"harmless": Untrusted()}))


def test_a_skops_file_whose_schema_names_another_class_is_not_loaded(model: tuple[bytes, bytes]) -> None:
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model[1])) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            if name == "schema.json":
                schema = json.loads(body)
                schema["__class__"], schema["__module__"] = "Popen", "subprocess"
                body = json.dumps(schema).encode()
            new.writestr(name, body)
    with pytest.raises(Tampered, match=r"subprocess\.Popen"):
        export.from_skops(changed.getvalue())


def test_thresholds_rounded_down_split_float32_numbers_as_before() -> None:
    tree = type("Tree", (), {})()
    numbers = np.array([0.1, 1 / 3, 1.6e9 + 64, -1.6e9 - 64, 0.0, np.inf, 5.0])
    tree.nodes = np.zeros(len(numbers), dtype=[("num_threshold", np.float64)])
    tree.nodes["num_threshold"] = numbers
    export._round_thresholds(type("Estimator", (), {"_predictors": [[tree]]})())
    rounded = tree.nodes["num_threshold"]
    assert (rounded == rounded.astype(np.float32)).all()
    for before, after in zip(numbers, rounded, strict=True):
        for near in (np.float32(before), np.nextafter(np.float32(before), np.float32(np.inf))):
            assert (near <= before) == (near <= after)


class Untrusted:
    """A type that skops does not know."""
