"""The signatures of versions: each version's record against the bundle that its run has made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from cli.verification.findings import Findings
from modelcycle.faults import Fault, Tampered, Unknown
from modelcycle.key_service import KeyService
from modelcycle.registry import SignedNumbers, Version, keys
from modelcycle.registry.chain import name_of_record
from modelcycle.signing import check_version
from modelcycle.store import Store


def check_signatures(
    model: str, versions: Mapping[int, dict[str, Any]], signed: SignedNumbers, only: int | None, artifacts: Store,
    signing: KeyService, findings: Findings,
) -> None:  # fmt: skip
    """Check the signature of each version that has one.

    Parameters
    ----------
    versions : bodies of the versions' records, by number
    signed : which of them were signed
    only : check this one alone; None: all
    """
    from botocore.exceptions import ClientError, FlexibleChecksumError, ParamValidationError

    for number, body in sorted(versions.items()):
        if only is not None and number != only:
            continue
        where = name_of_record(keys.version(model, number))
        try:
            version = Version.model_validate({**body, "must_be_signed": number in signed})
            found = check_version(version, artifacts, signing)
        except ValidationError:
            findings.add(where, "the record cannot be read: it is no version")
        except (Tampered, Unknown) as fault:  # each names what is wrong, and where
            findings.add(where, f"{fault.what} ({fault.where})" if fault.where else fault.what)
        except ParamValidationError:
            findings.add(where, "its signature is at an address that is none")
        except FlexibleChecksumError:
            findings.add(where, "its signature was changed: S3 knows another checksum of it")
        except Fault as fault:
            findings.note(f"signatures of versions were not checked: {fault.what}")
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
                raise
            findings.note("signatures of versions were not checked: you may not use the key that signs (kms:Verify)")
        else:
            findings.count("signed", found == "signed")
            if found == "unchecked" and body.get("bundle"):
                findings.note("signatures of versions were not checked: the stack has no key that signs any more")
