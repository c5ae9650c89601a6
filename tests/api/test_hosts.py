"""The Host check: names are compared as names, whatever their spelling."""

import pytest
from batchlab_api.hosts import Hosts, host_name, is_loopback

HOSTS = Hosts(["lab.example", "0.0.0.0", "192.168.7.1"])


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:65535",
        "[::1]",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]:80",
        "lab.example",
        "Lab.Example.:443",
        "192.168.7.1:8000",
    ],
)
def test_the_servers_own_names_pass(header: str) -> None:
    assert HOSTS.allow([header])


@pytest.mark.parametrize(
    "header",
    [
        "",
        "evil.test",
        "a/?x=",
        "127.0.0.1.evil.test",
        "evil.test:127.0.0.1",
        "127.0.0.1@evil.test",
        "evil.test#localhost",
        "localhost:0x50",
        "localhost:99999",
        "localhost:80:80",
        " localhost",
        "localhost\t",
        "[::1",
        "[::1]evil",
        "[zz]",
        "::1",
        "0.0.0.0",
        "loсalhost",
        "lab.example..",
    ],
)
def test_every_other_name_is_refused(header: str) -> None:
    assert not HOSTS.allow([header])


def test_there_must_be_exactly_one() -> None:
    assert not HOSTS.allow([])
    assert not HOSTS.allow(["localhost", "localhost"])


def test_an_ipv6_address_has_one_spelling() -> None:
    assert host_name("[FE80:0:0::1]:80") == "fe80::1"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.5", False), ("lab.example", False), ("", False)],
)  # fmt: skip
def test_only_loopback_addresses_count_as_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
