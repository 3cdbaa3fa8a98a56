"""What the fork server of a function imports ahead, and the variables that its libraries read on loading."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from infra.local.deployment.code_hash import source_files
from infra.local.runtime.fork_server import LOAD_TIME_PREFIXES

# Imported inside functions, or by libraries at their first use. A layer has some of them; the others are skipped.
# Not onnxruntime: its import starts a thread, and a process with threads cannot be forked.
LATE_MODULES = (
    # of the runtime's client, which itself reads its variables on import and is therefore imported in each fork
    "http.client", "simplejson", "snapshot_restore_py", "concurrent.futures.thread",
    # of the first client of boto3
    "boto3.session", "botocore.client", "botocore.config", "botocore.endpoint", "botocore.httpsession",
    "botocore.retries.standard", "botocore.signers", "boto3.s3.inject", "boto3.dynamodb.transform",
    "s3transfer.manager", "urllib3.util.retry",
    # of steps
    "numpy", "numpy.random", "duckdb", "_duckdb",
    "pandas", "scipy.stats", "scipy.optimize", "scipy.special", "sklearn.compose", "sklearn.ensemble",
    "sklearn.exceptions", "sklearn.feature_extraction.text", "sklearn.impute", "sklearn.linear_model",
    "sklearn.metrics", "sklearn.model_selection", "sklearn.pipeline", "sklearn.preprocessing", "onnx", "onnx.compose",
    "onnx.helper", "onnx.numpy_helper", "skl2onnx", "skl2onnx.common.data_types",
    "skl2onnx.operator_converters.target_encoder", "skl2onnx.shape_calculators.target_encoder", "skops.io",
    "fairlearn.metrics",
)  # fmt: skip


def preloaded_modules(codes: Iterable[Path]) -> tuple[str, ...]:
    """Return what the source files of functions import, and the late modules."""
    imported = sorted({name for code in codes for file in source_files(code) for name in _imports(file)})
    return (*imported, *LATE_MODULES)


def load_time_variables(properties: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the literal variables of a function that libraries read when they are loaded."""
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    return tuple(
        (name, str(value))
        for name, value in sorted(variables.items())
        if name.startswith(LOAD_TIME_PREFIXES) and not isinstance(value, dict)
    )


def _imports(file: Path) -> Iterator[str]:
    """Yield the absolute imports of a source file; one with an error has none, and its function reports it."""
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
