"""`export`: a version as a folder that others can check, or that MLflow opens."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from cli import console
from cli.named_version import named_or_live
from cli.options import Options
from cli.screens.exported import Exported, exported_text
from cli.signing_key import PublicKey
from modelcycle.faults import BadInput
from modelcycle.signing import check_version, public_key_pem, read_signed, signed_files

SIGNATURE, KEY = "model.sig", "public-key.pem"


def export(name: str, folder: Path, options: Options, *, mlflow: bool = False) -> int:
    """Write a version into a new or empty folder, after its signature and the hash of each file have been checked.

    The signature itself is left out if an erasure has changed a file since: it does not hold for what is written.

    Parameters
    ----------
    name : MODEL:VERSION, or MODEL for the live version
    mlflow : write what `mlflow.pyfunc.load_model` opens instead of the signed files

    Raises
    ------
    Unknown : there is no such version, no version is live, or a file is gone
    BadInput : the folder is not empty
    Tampered : the signature does not hold, or a file has changed
    NotExportable : a part of the model cannot be written for MLflow
    """
    place = options.open_place()
    version = named_or_live(place, name)
    store = place.artifacts
    keys = PublicKey(place)
    checked = check_version(version, store, keys)
    with _new_folder(folder.absolute()) as work:
        bodies = {file: read_signed(version, one, store, keys) for file, one in signed_files(version).items()}
        erased = [
            file for file, one in signed_files(version).items()
            if hashlib.sha256(bodies[file]).hexdigest() != one.sha256
        ]  # fmt: skip
        if mlflow:
            from cli.mlflow_model import write_mlflow_model

            write_mlflow_model(version, store, work)
        else:
            for file, body in bodies.items():
                (work / file).write_bytes(body)
            if checked == "signed" and version.bundle is not None and not erased:
                (work / SIGNATURE).write_bytes(store.read(version.bundle))
                (work / KEY).write_text(public_key_pem(keys.public_key()))
        files = sorted(path.name for path in work.iterdir())
    key = hashlib.sha256(keys.public_key()).hexdigest() if checked == "signed" else ""
    made = Exported(version.model, version.version, str(folder), files, checked, key, mlflow, erased)
    if options.as_json:
        console.print_json(made.wire())
    else:
        console.show(exported_text(made))
    return console.DONE


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder that takes the place of `folder` at the end: nothing half written stays."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput("the folder is not empty", str(folder), "give --to a new or an empty folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BadInput(f"the folder cannot be made: {error.strerror}", str(folder), "give --to another one") from None
    try:
        yield work
        work.chmod(0o755)
        work.replace(folder)
    except OSError as error:
        raise BadInput(
            f"the folder cannot be written: {error.strerror}", str(folder), "give --to another one"
        ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
