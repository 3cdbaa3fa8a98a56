"""One GET request: where it may go, how often it is tried, and how much it may bring."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, SSLError

from modelcycle.faults import BadData, BadPipeline, Throttled, Transient
from modelcycle.sources.http import addresses

MAX_ATTEMPTS = 6  # at one request
MAX_REDIRECTS = 5
MAX_WAIT_SECONDS = 120.0  # between two attempts; a function runs for 15 minutes at most
FIRST_PAUSE_SECONDS = 0.5
CHUNK_BYTES = 2**16
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTS = {"http": 80, "https": 443}


class Answer(NamedTuple):
    """An answer whose body is in a file.

    Parameters
    ----------
    url : after redirects
    bytes : of the decoded body
    """

    status: int
    headers: Mapping[str, str]
    url: str
    bytes: int


@dataclass
class Client:
    """Sends GET requests to one API.

    Parameters
    ----------
    origin : an address of the API; only requests to its scheme, host and port carry `secret_headers`
    allowed : hosts that may have a private address
    timeout_seconds : of one request, from its start to the end of its body
    ends_at : of the whole pull, by `clock`
    resolve, sleep, clock : replaced in tests
    """

    origin: str
    secret_headers: Mapping[str, str] = field(repr=False)
    allowed: list[str]
    timeout_seconds: float
    ends_at: float
    resolve: addresses.Resolve = addresses.resolve
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    retries: int = 0
    _addresses: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    _pools: dict[tuple[str, str, int, str], urllib3.HTTPConnectionPool] = field(default_factory=dict)

    def get(self, url: str, target: Path, max_bytes: int, headers: Mapping[str, str] | None = None) -> Answer:
        """Write the body of an answer to a file.

        Parameters
        ----------
        max_bytes : of the body, decoded
        headers : of the request, besides the usual ones

        Raises
        ------
        BadPipeline : the address must not be asked
        BadData : the API refuses the request, or the answer is too large
        Throttled, Transient : the API fails, or asks to wait, for longer than this function may
        """
        for attempt in range(MAX_ATTEMPTS):
            pause = FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 (jitter, not a secret)
            try:
                answer = self._follow(url, target, max_bytes, headers or {}, attempt)
            except SSLError as error:
                raise BadPipeline(
                    f"there is no secure connection to the host: {_tls_reason(error)}", shown(url),
                    "use https with the name for which a known authority has issued the certificate",
                ) from None  # fmt: skip
            except (HTTPError, TimeoutError) as error:
                fault = Transient(f"the API did not answer: {_reason(error)}", shown(url), "try again later")
            else:
                if answer.status not in RETRIED:
                    _check_status(answer, shown(url))
                    return answer
                kind = Throttled if answer.status == 429 else Transient
                fault = kind(f"the API answers {answer.status} again and again", shown(url), "try again later")
                asked = retry_after(answer.headers.get("Retry-After"))
                if asked is not None:
                    pause = asked
                    fault = kind(
                        f"the API answers {answer.status} and asks to wait for {asked:.0f} s", shown(url),
                        "try again after that time, or ask for fewer pages (source.pages.size)",
                    )  # fmt: skip
            if attempt == MAX_ATTEMPTS - 1 or pause > MAX_WAIT_SECONDS or self.clock() + pause > self.ends_at:
                raise fault
            self.retries += 1
            self.sleep(pause)
        raise AssertionError("the last attempt raises")

    def _follow(self, url: str, target: Path, max_bytes: int, headers: Mapping[str, str], attempt: int) -> Answer:
        """Send a request and follow its redirects; each goes through the same checks."""
        begin = url
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._send(url, target, max_bytes, headers, attempt)
            location = answer.headers.get("Location")
            if answer.status not in REDIRECTS or not location:
                return answer
            url = urljoin(url, location)
        raise BadData(
            f"the API redirects more than {MAX_REDIRECTS} times", shown(begin),
            "write the final address into source.url; does the API need a secret?",
        )  # fmt: skip

    def _send(self, url: str, target: Path, max_bytes: int, headers: Mapping[str, str], attempt: int) -> Answer:
        parts = split_address(url)
        if self.clock() > self.ends_at:
            raise BadData(
                "the pull is not finished when the function has to end", shown(url),
                "ask for larger pages (source.pages.size) or only for new rows (source.watermark_parameter)",
            )  # fmt: skip
        own = {"Accept-Encoding": "gzip", "User-Agent": "modelcycle", "Host": _host_header(parts), **headers}
        if same_origin(url, self.origin):
            own |= self.secret_headers
        request_target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        deadline = self.clock() + self.timeout_seconds
        response = self._pool(parts, attempt).urlopen(
            "GET", request_target, headers=own, redirect=False, retries=False, preload_content=False,
            timeout=urllib3.Timeout(connect=min(10, self.timeout_seconds), read=self.timeout_seconds),
        )  # fmt: skip
        try:
            size = self._write(response, target, max_bytes, deadline, url)
        except BaseException:
            response.close()  # what is left of the body is not read
            raise
        response.release_conn()
        return Answer(response.status, response.headers, url, size)

    def _write(
        self, response: urllib3.BaseHTTPResponse, target: Path, max_bytes: int, deadline: float, url: str
    ) -> int:
        size = 0
        with target.open("wb") as file:
            while chunk := response.read1(CHUNK_BYTES):
                size += len(chunk)
                if size > max_bytes:
                    raise BadData(
                        "the answers are larger than source.max_bytes", shown(url),
                        "raise source.max_bytes, or ask for less: source.watermark_parameter, or a query in source.url",
                    )  # fmt: skip
                if self.clock() > deadline:
                    raise TimeoutError(f"the answer did not end within {self.timeout_seconds:.0f} s")
                file.write(chunk)
        return size

    def _pool(self, parts: SplitResult, attempt: int) -> urllib3.HTTPConnectionPool:
        """Return connections to one checked address of a host. TLS verifies the host's name, not the address."""
        host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
        if (host, port) not in self._addresses:
            self._addresses[host, port] = addresses.checked_addresses(host, port, self.allowed, self.resolve)
        known = self._addresses[host, port]
        address = known[attempt % len(known)]
        key = (parts.scheme, host, port, address)
        if key not in self._pools:
            if parts.scheme == "https":
                name = _ascii(host)
                self._pools[key] = urllib3.HTTPSConnectionPool(
                    address, port, server_hostname=name, assert_hostname=name, cert_reqs="CERT_REQUIRED"
                )
            else:
                self._pools[key] = urllib3.HTTPConnectionPool(address, port)
        return self._pools[key]

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()


def split_address(url: str) -> SplitResult:
    """Return the parts of an address that may be asked.

    Raises
    ------
    BadPipeline : it is not one of HTTP, or holds a password
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in PORTS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise BadPipeline("the address is not one of http or https", shown(url), "write https://host/path")
    if parts.username is not None:
        raise BadPipeline(
            "the address holds a user and password", shown(url),
            'put {"Authorization": "Basic ..."} into a secret and name it in source.secret',
        )  # fmt: skip
    return parts


def same_origin(url: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port.

    >>> same_origin("https://a.example/x", "https://A.example:443/y"), same_origin("http://a.example", "https://a.example")
    (True, False)
    """
    first, second = split_address(url), split_address(other)
    return (first.scheme, first.hostname, first.port or PORTS[first.scheme]) == (
        second.scheme, second.hostname, second.port or PORTS[second.scheme],
    )  # fmt: skip


def shown(url: str) -> str:
    """Return an address for people: without user, query and fragment, which may hold secrets.

    >>> shown("https://me:secret@example.com/rows?key=secret#x")
    'https://example.com/rows'
    """
    scheme, separator, rest = url.partition("://")
    place = rest.partition("?")[0].partition("#")[0]
    host, slash, path = place.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which are given as a number or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _check_status(answer: Answer, where: str) -> None:
    if answer.status in (200, 204, 304, 404):
        return  # the caller knows what a missing page means
    if answer.status in (401, 403):
        raise BadData(
            f"the API refuses the request ({answer.status})", where,
            'name a secret in source.secret that holds the headers as JSON, such as {"Authorization": "..."}',
        )  # fmt: skip
    raise BadData(f"the API answers {answer.status}", where, "open the address yourself; correct source.url")


def _reason(error: BaseException) -> str:
    """Return what went wrong, in words that hold neither addresses of objects nor the query."""
    for part in (error, error.__cause__, error.__context__):
        if isinstance(part, TimeoutError) and str(part):
            return str(part)
    names = {
        "NewConnectionError": "no connection", "ConnectTimeoutError": "no connection within 10 s",
        "ReadTimeoutError": "no data within the time of source.timeout_seconds",
        "ProtocolError": "the connection was lost", "IncompleteRead": "the connection was lost",
        "DecodeError": "the answer is not valid gzip", "InvalidChunkLength": "the connection was lost",
        "NameResolutionError": "the host is unknown", LocationParseError.__name__: "the address cannot be read",
    }  # fmt: skip
    return names.get(type(error).__name__, "the connection failed")


def _tls_reason(error: SSLError) -> str:
    inner = error.args[0] if error.args else error
    words = getattr(inner, "verify_message", "") or getattr(inner, "reason", "") or str(inner)
    return str(words).replace("_", " ").lower()


def _ascii(host: str) -> str:
    try:
        return host.encode("ascii").decode()
    except UnicodeEncodeError:
        return host.encode("idna").decode()


def _host_header(parts: SplitResult) -> str:
    host = _ascii(str(parts.hostname))
    name = f"[{host}]" if ":" in host else host
    return name if parts.port in (None, PORTS[parts.scheme]) else f"{name}:{parts.port}"
