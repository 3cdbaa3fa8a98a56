"""Which addresses a request may go to.

A pipeline file names the host, but not everyone who may write one may reach what the function reaches: its own runtime,
the credentials of its machine, the private network (OWASP, "Server Side Request Forgery Prevention"). So a host is
resolved once, every address that it has must be public, and the connection goes to exactly that address.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from modelcycle.faults import BadPipeline, Transient

Resolve = Callable[[str, int], list[str]]
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
REMEDY = "use a public address; if this host is meant, add it to source.allow_hosts"


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host.

    Raises
    ------
    Transient : the name is unknown, or the name server does not answer
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: a label of the name is empty or too long
        raise Transient(f"the host {host} is unknown", "source.url", "check the spelling of the host") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(host: str, port: int, allowed: Collection[str], resolve: Resolve = resolve) -> list[str]:
    """Return the addresses of a host to which a request may go.

    Parameters
    ----------
    allowed : hosts whose address may be private

    Raises
    ------
    BadPipeline : one of the addresses is not public
    Transient : the name cannot be resolved
    """
    addresses = resolve(host, port)
    if is_named(host, allowed):
        return addresses
    for address in addresses:
        if not is_public(address):
            raise BadPipeline(f"the host {host} has the address {address}, which is not public", host, REMEDY)
    return addresses


def is_named(host: str, allowed: Collection[str]) -> bool:
    """Whether a host is in a list of hosts; a name means the same in capitals and with a dot at its end.

    >>> is_named("Intern.example.", ["intern.example"])
    True
    """
    return _canonical(host) in {_canonical(name) for name in allowed}


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet, also in the forms that embed an IPv4 address in IPv6.

    Examples
    --------
    >>> is_public("93.184.215.14"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_public(part) for part in (parsed, *_embedded(parsed)))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address.is_site_local):
        return address.ipv4_mapped is not None  # judged by the embedded address
    return address.is_global and not (
        address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
        or address.is_reserved or address.is_unspecified
    )  # fmt: skip


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses inside an IPv6 address: mapped, NAT64, 6to4 and Teredo."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


def _canonical(host: str) -> str:
    return host.strip().strip("[]").rstrip(".").lower()
