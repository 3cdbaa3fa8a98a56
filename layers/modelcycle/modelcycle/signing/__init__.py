"""Signatures of versions as OpenSSF Model Signing writes them: in-toto statement, DSSE envelope, Sigstore bundle.

They are made and checked by a key that never leaves KMS (`modelcycle.key_service`), and the public tool verifies them:
`model_signing verify key`.
"""

from modelcycle.signing.bundle import public_key_pem
from modelcycle.signing.rewritten import sign_rewritten
from modelcycle.signing.signed_version import (
    Checked,
    bundle_key,
    check_version,
    read_signed,
    sign_version,
    signed_files,
)

__all__ = [
    "Checked",
    "bundle_key",
    "check_version",
    "public_key_pem",
    "read_signed",
    "sign_rewritten",
    "sign_version",
    "signed_files",
]
