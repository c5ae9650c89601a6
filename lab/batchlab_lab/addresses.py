"""Addresses to listen on, of either family, and how a URL names them."""

import errno
import socket

from batchlab_lab.errors import LabError, PortTakenError


def free_port(host: str) -> int:
    """A TCP port that nothing listens on."""
    with _bound(host, 0) as probe:
        port: int = probe.getsockname()[1]
        return port


def check_port(host: str, port: int) -> None:
    """Raise PortTakenError unless `port` can be listened on, or LabError where `host` is no address of this machine."""
    _bound(host, port).close()


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise LabError(f"{host} is no address to listen on ({error.strerror}): choose another by --host") from error
    probe = socket.socket(family, kind)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(address)
    except OSError as error:
        probe.close()
        raise _refusal(host, port, error) from error
    return probe


def _refusal(host: str, port: int, error: OSError) -> LabError:
    if error.errno == errno.EADDRNOTAVAIL:
        return LabError(f"{host} is no address of this machine: choose another by --host")
    return PortTakenError(f"port {port} cannot be had ({error.strerror}): choose another by --port")


def is_unspecified(host: str) -> bool:
    """Whether listening on `host` is listening on every address of the machine."""
    return host in ("0.0.0.0", "::")


def reached_at(host: str) -> str:
    """How an address that is listened on stands in this machine's URLs: nobody is addressed as 0.0.0.0."""
    if is_unspecified(host):
        return "[::1]" if ":" in host else "127.0.0.1"
    return f"[{host}]" if ":" in host else host
