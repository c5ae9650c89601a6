"""Which Host headers this server answers to."""

import ipaddress
import re
from collections.abc import Iterable, Sequence

LOOPBACK = ("localhost", "127.0.0.1", "::1")
UNSPECIFIED = {"0.0.0.0", "::", ""}
"""What a server may be bound to but is not addressed by: browsers reach their own machine with it."""
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:(?P<port>[0-9]{1,5}))?", re.IGNORECASE | re.ASCII)


def host_name(header: str) -> str | None:
    """The name in a Host header: lower case, no port, no closing dot, no brackets; None where it is no such header."""
    found = _HOST.fullmatch(header)
    if found is None or int(found["port"] or 0) > 65535:
        return None
    name = found["name"].lower()
    return _address(name[1:-1]) if name.startswith("[") else name.removesuffix(".")


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return None


class Hosts:
    """The allowed names: the loopback ones and `further`."""

    def __init__(self, further: Iterable[str] = ()) -> None:
        self._names = {*LOOPBACK, *(name.lower().removesuffix(".") for name in further)} - UNSPECIFIED

    def allow(self, headers: Sequence[str]) -> bool:
        """Whether these Host headers (there must be exactly one) name this server."""
        return len(headers) == 1 and host_name(headers[0]) in self._names


def is_loopback(host: str) -> bool:
    """Whether binding `host` keeps a server to its own machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
