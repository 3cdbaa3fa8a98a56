"""Media types, character sets and compression of requests and answers."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelcycle.gateway.content_encoding import MIN_COMPRESSED_BYTES, accepted_encoding, compressed
from modelcycle.model.request import MAX_REQUEST_BYTES
from tests.prediction_api import INFER, PREDICT, ROW, Api
from tests.raw_requests import send
from tests.trained import COLOUR, HOURS, MODEL, body

JSON = "application/json"
ONE = body(ROW).encode()
ZIPPED = gzip.compress(ONE, mtime=0)  # it is in names of tests, which have to be the same in every process


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(monkeypatch)
    api.go_live()
    return api


@pytest.mark.parametrize(
    "kind", ["", JSON, "Application/JSON", "application/json; charset=UTF-8", 'application/json;charset="utf-8"',
             "application/problem+json"],
)  # fmt: skip
def test_json_in_utf_8_is_read(api: Api, kind: str) -> None:
    assert send(api, PREDICT, ONE, **({"content_type": kind} if kind else {})).status == 200


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("application/x-www-form-urlencoded", "'application/x-www-form-urlencoded' is not read here"),
        ("text/csv", "'text/csv' is not read here"),
        ("multipart/form-data; boundary=x", "'multipart/form-data' is not read here"),
        ("application/octet-stream", "'application/octet-stream' is not read here"),
        ("application/json; charset=latin-1", "the charset 'latin-1' is not supported"),
        ("application/json; charset=utf-16", "the charset 'utf-16' is not supported"),
    ],
)
def test_another_content_type_is_told(api: Api, kind: str, sentence: str) -> None:
    reply = send(api, PREDICT, ONE, content_type=kind)
    assert reply.status == reply.json()["status"] == 415 and sentence in reply.json()["detail"]
    assert "application/json" in reply.json()["remedy"] or "UTF-8" in reply.json()["remedy"]


@pytest.mark.parametrize("path", [PREDICT, INFER])
def test_latin_1_is_refused_with_a_sentence(api: Api, path: str) -> None:
    sent = json.dumps({"instances": [{HOURS: 1, COLOUR: "ünï"}]}, ensure_ascii=False)
    reply = send(api, path, sent.encode("latin-1"), content_type=JSON)
    assert reply.status == 400 and "not UTF-8 text: byte" in reply.json()["detail"]
    assert "Latin-1" in reply.json()["remedy"]
    assert send(api, PREDICT, sent.encode(), content_type=JSON).status == 200


@pytest.mark.parametrize("encode", ["utf-16", "utf-32", "utf-8-sig"])
def test_other_unicode_encodings_are_refused(api: Api, encode: str) -> None:
    reply = send(api, PREDICT, body(ROW).encode(encode), content_type=JSON)
    assert reply.status == 400 and reply.json()["detail"]


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_requests_get_the_same_answer(api: Api, encoding: str, compress: object) -> None:
    assert callable(compress)
    plain = send(api, PREDICT, ONE, content_type=JSON)
    reply = send(api, PREDICT, compress(ONE), content_type=JSON, content_encoding=encoding)
    assert reply.status == 200 and reply.json() == plain.json()


@pytest.mark.parametrize(
    ("sent", "encoding", "status", "sentence"),
    [
        (ONE, "gzip", 400, "the body is not gzip data"),
        (ZIPPED[:-4], "gzip", 400, "are cut"),
        (ZIPPED + ZIPPED, "gzip", 400, "goes on after"),
        (ZIPPED, "br", 415, "only gzip or deflate"),
        (ZIPPED, "gzip, gzip", 415, "only gzip or deflate"),
        (gzip.compress(b" " * (MAX_REQUEST_BYTES + 1), mtime=0), "gzip", 413, "bytes when it is decompressed"),
        (b"", "gzip", 400, "the body is empty"),
    ],
)
def test_wrong_compression_is_told(api: Api, sent: bytes, encoding: str, status: int, sentence: str) -> None:
    reply = send(api, PREDICT, sent, content_type=JSON, content_encoding=encoding)
    assert reply.status == status and sentence in reply.json()["detail"] and not api.firehose.lines


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_large_answers_are_compressed_for_clients_that_take_it(api: Api, encoding: str) -> None:
    sent = body(*[ROW] * 200).encode()
    plain = send(api, PREDICT, sent, content_type=JSON, accept="*/*")
    reply = send(api, PREDICT, sent, content_type=JSON, accept="*/*", accept_encoding=encoding)
    assert len(plain.content) > MIN_COMPRESSED_BYTES and "content-encoding" not in plain.headers
    assert plain.headers["vary"] == reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers["content-encoding"] == encoding and len(reply.content) < len(plain.content) / 2
    assert zlib.decompress(reply.content, 47) == plain.content


def test_small_answers_and_those_to_clients_without_accept_are_not_compressed(api: Api) -> None:
    assert "content-encoding" not in send(api, PREDICT, ONE, accept="*/*", accept_encoding="gzip").headers
    # API Gateway returns bytes by the media types that a client accepts
    assert "content-encoding" not in send(api, PREDICT, body(*[ROW] * 200).encode(), accept_encoding="gzip").headers


@given(st.text(alphabet="gzipdeflatbr*;q=, .01", max_size=30))
def test_any_accept_encoding_is_read(accepted: str) -> None:
    encoding = accepted_encoding(accepted)
    assert encoding in ("", "gzip", "deflate") and (not encoding or encoding in accepted or "*" in accepted)


@given(st.binary(max_size=2000), st.sampled_from(["gzip", "deflate"]))
def test_what_is_compressed_is_restored(content: bytes, encoding: str) -> None:
    assert zlib.decompress(compressed(content, encoding), 47) == content


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.binary(max_size=60),
    encoding=st.sampled_from(["", "gzip", "deflate", "br"]),
    kind=st.sampled_from(["", JSON, "application/octet-stream", "a/b"]) | st.text("abc/;=+ ", max_size=12),
    length=st.sampled_from(["", "0", "10", "-1", "9999999999999", "١", "x"]),
    path=st.sampled_from([PREDICT, INFER, f"/v2/models/{MODEL}/versions/1/infer"]),
)
def test_no_bytes_cause_an_internal_error(
    api: Api, sent: bytes, encoding: str, kind: str, length: str, path: str
) -> None:
    headers = {"content_type": kind, "content_encoding": encoding, "inference_header_content_length": length}
    reply = send(api, path, sent, **{name: value for name, value in headers.items() if value})
    assert reply.status in (400, 413, 415) and reply.json()["detail"]
