"""From objects elsewhere in S3 to landed files: each new or changed object is copied once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcycle.collect.landed import LandedFile, LandedFiles
from modelcycle.faults import BadData, NoData
from modelcycle.messages import PulledFile
from modelcycle.reading import SUFFIXES
from modelcycle.registry import Landings
from modelcycle.registry.table import retry_when_raced
from modelcycle.spec import S3Source
from modelcycle.store import MAX_OBJECT_BYTES, Listed, Store

MAX_OBJECTS = 10_000
DIGEST_CHARACTERS = 20  # of an object's address, in the name of its copy


@retry_when_raced
def pull_objects(
    model: str, name: str, section: S3Source, data: Store, origin: Store, landings: Landings, where: str
) -> list[PulledFile]:
    """Copy the objects under a prefix that are not copied yet; forget those that are gone.

    An object is known by key and ETag, not by its date: the date of a multipart upload is that of its beginning, so a
    watermark of dates would miss an object that another one overtakes.

    Raises
    ------
    NoData : there is no object
    BadData : an object is too large, or there are too many
    """
    prefix = section.prefix or ""
    landed = LandedFiles(model, name, f"s3 {section.bucket} {prefix}", data, landings)
    known = {file.origin: file for file in landed.files}
    listing = [listed for listed in origin.list(prefix) if _is_data(listed.key)]
    address = f"s3://{section.bucket or 'the data bucket'}/{prefix}"
    if not listing:
        raise NoData(f"there is no file ({', '.join(SUFFIXES)})", f"{where}, {address}", "correct bucket and prefix")
    if len(listing) > MAX_OBJECTS:
        raise BadData(
            f"there are {len(listing):,} files; the limit is {MAX_OBJECTS:,}", f"{where}, {address}",
            "give a longer prefix, or fewer, larger files",
        )  # fmt: skip
    files = [known.get(_origin(listed)) or _copy(landed, origin, listed, where) for listed in listing]
    return landed.record(files, None)


def _is_data(key: str) -> bool:
    return key.lower().endswith(SUFFIXES) and not Path(key).name.startswith(("_", "."))


def _origin(listed: Listed) -> str:
    return f"{listed.key} {listed.etag}"


def _copy(landed: LandedFiles, origin: Store, listed: Listed, where: str) -> LandedFile:
    if listed.bytes > MAX_OBJECT_BYTES:
        raise BadData(
            f"the file has {listed.bytes >> 20:,} MB; the limit is {MAX_OBJECT_BYTES >> 20} MB",
            f"{where}, {listed.key}", "split it, or convert it to Parquet or *.csv.gz",
        )  # fmt: skip
    digest = hashlib.sha256(f"{landed.definition}\n{_origin(listed)}".encode()).hexdigest()[:DIGEST_CHARACTERS]
    key = f"{landed.prefix}{digest}-{Path(listed.key).name}"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "object"
        origin.download(listed, path)
        artifact = landed.data.put(key, path)
    return LandedFile(key=key, artifact=artifact, origin=_origin(listed))
