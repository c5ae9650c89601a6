"""Addresses to listen on."""

import socket

import pytest
from batchlab_lab.addresses import check_port, free_port, reached_at
from batchlab_lab.errors import LabError, PortTakenError

from .conftest import needs_ipv6


@pytest.mark.parametrize(
    ("host", "family", "at"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1"),
        ("0.0.0.0", socket.AF_INET, "127.0.0.1"),
        pytest.param("::1", socket.AF_INET6, "::1", marks=needs_ipv6),
    ],
)
def test_a_port_is_found_and_seen_to_be_taken_in_either_family(
    host: str, family: socket.AddressFamily, at: str
) -> None:
    port = free_port(host)
    check_port(host, port)
    with socket.socket(family) as taken:
        taken.bind((at, port))
        taken.listen()
        with pytest.raises(PortTakenError, match="--port"):
            check_port(host, port)


def test_a_name_may_be_listened_on() -> None:
    check_port("localhost", free_port("localhost"))


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", ""])
def test_an_address_of_somebody_else_is_named(host: str) -> None:
    with pytest.raises(LabError, match="--host"):
        check_port(host, 8000)


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("192.0.2.1", "192.0.2.1"), ("lab", "lab")],
)
def test_a_url_names_an_address_that_answers(host: str, url: str) -> None:
    assert reached_at(host) == url
