"""An issuer of tokens (OpenID Connect discovery and keys), as the local cloud asks for it, and the tokens it signs."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "scoring"


class Issuer:
    """Serves its keys on loopback while it is entered."""

    def __init__(self) -> None:
        self.keys = {"first": _key()}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                documents = {
                    "/.well-known/openid-configuration": {"issuer": outer.url, "jwks_uri": f"{outer.url}/keys"},
                    "/keys": {"keys": [_public(kid, key) for kid, key in outer.keys.items()]},
                }
                found = documents.get(self.path)
                body = json.dumps(found).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Issuer:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.shutdown()
        self.server.server_close()

    def token(self, *, kid: str = "first", key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        """Return a token that is valid for five minutes, except for what the arguments change; None removes a claim."""
        now = int(time.time())
        content = {"iss": self.url, "aud": AUDIENCE, "sub": "client-7", "iat": now - 1, "exp": now + 300} | claims
        content = {name: value for name, value in content.items() if value is not None}
        signed = f"{_base64(json.dumps({'alg': algorithm, 'kid': kid}))}.{_base64(json.dumps(content))}"
        if algorithm == "none":
            return f"{signed}."
        signature = (key or self.keys["first"]).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _public(kid: str, key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    parts = {
        name: _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))
        for name, value in (("n", numbers.n), ("e", numbers.e))
    }
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid} | parts


def _base64(content: bytes | str) -> str:
    data = content.encode() if isinstance(content, str) else content
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
