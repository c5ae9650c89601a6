"""Addresses to listen on."""

import socket

import pytest
from batchlab_lab.addresses import check_port, free_port, reached_at
from batchlab_lab.errors import LabError, PortTakenError


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "0.0.0.0"])
def test_a_port_is_found_and_seen_to_be_taken_in_either_family(host: str) -> None:
    port = free_port(host)
    check_port(host, port)
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    with socket.socket(family) as taken:
        taken.bind(("::1" if host == "::1" else "127.0.0.1", port))
        taken.listen()
        if host != "localhost":  # which may stand for the other family
            with pytest.raises(PortTakenError, match="--port"):
                check_port(host, port)


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
