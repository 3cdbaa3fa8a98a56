"""The zip archives of functions and layers.

The process of a function sees its own code, its layers and the runtime's packages, and nothing else: what it can import
here is what it can import on AWS.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shlex
import zipfile
from pathlib import Path

from infra.local.deployment.code_hash import code_version, hash_of, policies_hash, source_files
from infra.local.deployment.layers import BASE_PYTHON, Layer
from infra.local.fork_plans import START_PROGRAM, ForkPlan, sockets_folder

LOCAL_CLOUD = Path(__file__).parents[1]
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that the format allows; the same files give the same bytes


def function_archive(code: Path, plan: ForkPlan) -> bytes:
    """Return the zip of a function's code, with a `bootstrap` that starts it.

    Parameters
    ----------
    code : the function's folder
    plan : the fork server of the function's layers
    """
    members = {str(path.relative_to(code)): path.read_bytes() for path in source_files(code)}
    members["bootstrap"] = _bootstrap(plan).encode()
    return _zip(members)


def layer_archive(layer: Layer) -> bytes:
    """Return a small zip that names the layer's folders; it takes the place of up to 200 MiB."""
    note = {"layer": layer.name, "sha": layer.sha, "folders": [str(folder) for folder in layer.folders]}
    return _zip({"layer.json": json.dumps(note).encode()})


def archives_sha(project: Path, home: Path) -> str:
    """Return one hash over everything that determines the archives; AutoPublishCodeSha256 publishes versions by it.

    It covers the layers, which SAM ignores, the policies, which are in one of them, and the local cloud, which writes
    the `bootstrap`.
    """
    digest = code_version(project) + policies_hash(project) + hash_of([LOCAL_CLOUD])
    return hashlib.sha256(f"{digest}{home}{BASE_PYTHON}{platform.python_version()}".encode()).hexdigest()


def python_path(layers: list[Layer], runtime: Path) -> str:
    """Return the folders that a function imports from, beside its own code.

    Parameters
    ----------
    layers : in the order of the template
    runtime : what `install_runtime` returned
    """
    # on AWS a later layer overrides an earlier one; on PYTHONPATH the first folder wins
    return ":".join([*(str(folder) for layer in reversed(layers) for folder in layer.folders), str(runtime)])


def _bootstrap(plan: ForkPlan) -> str:
    variables = plan.environment()
    path = shlex.quote(variables.pop("PYTHONPATH"))
    variables.pop("TMPDIR")  # the emulator gives each process its own
    others = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    python, start = shlex.quote(plan.python), shlex.quote(str(START_PROGRAM))
    server = shlex.quote(str(sockets_folder(Path(plan.scratch).parent) / plan.name))
    return f"""#!/bin/sh
# variables of the emulator, which a function on AWS does not have
unset AUTH BIND_HOST DOCKER_HOST GATEWAY_PORT IOT_MTLS_ENABLED LAMBDA_WARM_TTL_SECONDS PERSIST_STATE \\
      S3_DATA_DIR S3_PERSIST SFTP_ENABLED STATE_DIR
export PYTHONPATH="$LAMBDA_TASK_ROOT":{path} {others}
if [ -S {server} ] && [ -f {start} ]; then
  exec {python} -I -S {start} {server} {python} "$_HANDLER"
fi
exec {python} -s -S -m awslambdaric "$_HANDLER"
"""


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.external_attr = (0o755 if name == "bootstrap" else 0o644) << 16
            archive.writestr(entry, members[name])
    return buffer.getvalue()
