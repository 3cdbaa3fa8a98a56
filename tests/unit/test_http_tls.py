"""HTTPS to a pinned address: the certificate has to be that of the host's name."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from modelcycle.faults import BadPipeline
from modelcycle.sources.http import HttpRows
from modelcycle.spec import HttpSource


def write_certificate(folder: Path, host: str) -> Path:
    """Write a key and a certificate of a host that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "certificate.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'[{"a": 1}]')

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("host", "trusted", "reason"),
    [("api.example", True, ""), ("other.example", True, "doesn't match"), ("api.example", False, "self-signed")],
)
def test_the_name_is_verified_and_not_the_address(
    host: str, trusted: bool, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = write_certificate(tmp_path, host)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    asked_names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _, name, __: asked_names.append(name)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    folder = tmp_path / "rows"
    folder.mkdir()
    section = HttpSource(
        type="http", url=f"https://api.example:{server.server_address[1]}/", allow_hosts=["api.example"]
    )
    rows = HttpRows(section, lambda _: "", "", resolve=lambda _, __: ["127.0.0.1"], sleep=lambda _: None)
    try:
        if not reason:
            (landed,) = rows.batches(folder, None)
            assert landed.path.read_bytes() == b'{"a": 1}\n'
        else:
            with pytest.raises(BadPipeline, match=reason):
                list(rows.batches(folder, None))
    finally:
        server.shutdown()
        server.server_close()
    assert asked_names[0] == "api.example"
