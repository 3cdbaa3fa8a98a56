"""The headers that a secret holds. No fault repeats any of them."""

from __future__ import annotations

import json
import re

from modelcycle.faults import BadInput
from modelcycle.sources.protocol import Secrets

FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.1


def secret_headers(secret: str | None, secrets: Secrets) -> dict[str, str]:
    """Return the headers in the secret of this name; without a name there are none.

    Raises
    ------
    BadInput : the secret is no JSON object of headers
    """
    if secret is None:
        return {}
    where = f"secret {secret}"
    remedy = 'write a JSON object of headers into it, such as {"Authorization": "Bearer ..."}'
    try:
        headers = json.loads(secrets(secret))
    except json.JSONDecodeError:
        raise BadInput("the secret is not JSON", where, remedy) from None
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise BadInput("the secret is not an object of texts", where, remedy)
    headers = {name: value.strip() for name, value in headers.items()}
    for name, value in headers.items():
        if not FIELD_NAME.fullmatch(name) or not value.isprintable() or name.lower() in ("host", "content-length"):
            raise BadInput("the secret holds a header that cannot be sent", where, remedy)
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise BadInput("the secret holds characters that a header cannot have", where, remedy) from None
    return headers
