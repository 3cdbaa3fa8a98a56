"""The size of a function with its layers, which Lambda bounds at deployment.

What the Makefiles of the layers delete does not count: tests, sources in C, and compiled files, of which the build
keeps some. The folders that `sam build` makes are checked by themselves.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path

from infra.local.deployment.code_hash import source_files
from infra.local.faults import TemplateInvalid
from infra.local.quotas import MIB, UNZIPPED

NOT_UPLOADED = frozenset({"__pycache__", "tests"})
NOT_UPLOADED_SUFFIXES = (".pyc", ".pyi", ".pyx", ".pxd", ".h", ".c", ".cpp")


def check_package_size(function: str, code: Path, folders: Iterable[Path], template: Path) -> None:
    """Refuse a function whose code and layers exceed the quota.

    Parameters
    ----------
    function : its name in the template
    code : its folder
    folders : of its layers

    Raises
    ------
    TemplateInvalid
    """
    layers = {folder: unzipped_bytes(folder) for folder in folders}
    total = sum(path.stat().st_size for path in source_files(code)) + sum(layers.values())
    if total <= UNZIPPED.maximum:
        return
    parts = ", ".join(f"{folder.parent.name} {size / MIB:.0f} MiB" for folder, size in layers.items())
    raise TemplateInvalid(
        f"{function}: {UNZIPPED.error}: Unzipped size must be smaller than {UNZIPPED.maximum} bytes. "
        f"It has {total}: {parts}.",
        where=str(template),
        remedy="Remove packages from a layer, or a layer from the function.",
    )


@functools.cache
def unzipped_bytes(folder: Path) -> int:
    """Return the size of an installed layer, in bytes. Its folder is named by its content and never changes."""
    total = 0
    for parent, names, files in os.walk(folder):
        names[:] = [name for name in names if name not in NOT_UPLOADED]
        total += sum(
            os.path.getsize(os.path.join(parent, file))  # noqa: PTH118, PTH202 - twice as fast for 10,000 files
            for file in files
            if not file.endswith(NOT_UPLOADED_SUFFIXES)
        )
    return total
