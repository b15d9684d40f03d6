"""Webhooks go to checked addresses only, and no receiver holds them up."""

from __future__ import annotations

import socket
import time

import pytest

from tests.support.receiver import a_receiver
from webapp.core.webhook_sender import EXCERPT, Refused, post, refuse_address, refuse_url

BODY, HEADERS = b"{}", {"webhook-id": "1"}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
        "169.254.169.254", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::",
        "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        refuse_address(address, loopback=False)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_a_public_address_is_taken(address: str) -> None:
    refuse_address(address, loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/x",
        "https://user:secret@example.com/", "https:///x", "ftp://example.com/",
        "http://127.0.0.1:80/", "https://example.com:99999/",
    ],
)  # fmt: skip
def test_an_address_that_can_be_none_of_a_receiver_is_refused_at_once(url: str) -> None:
    with pytest.raises(Refused):
        refuse_url(url, allow_loopback=False)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.2/", "http://10.0.0.1/", "http://[::1]/", "http://a.example/"]
)
def test_the_setting_for_development_allows_loopback_by_its_names_alone(url: str) -> None:
    with pytest.raises(Refused):
        refuse_url(url, allow_loopback=True)
    refuse_url("http://localhost:3000/x", allow_loopback=True)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["::1"]])
def test_a_name_that_stands_for_an_inner_address_is_not_connected_to(addresses: list[str]) -> None:
    """Not even when one of several is public."""
    with a_receiver() as receiver:
        reply = post(
            f"https://inner.example:{receiver.port}/", BODY, HEADERS,
            resolver=lambda _host, _port: addresses,
        )  # fmt: skip
        assert receiver.received == []
    assert reply.error == "The name stands for an address that is not a public one."


def test_a_name_that_changes_after_the_check_changes_nothing() -> None:
    """DNS rebinding: the name is looked up once, and what was checked is what is connected to."""
    asked = []

    def rebinding(_host: str, _port: int) -> list[str]:
        asked.append(len(asked))
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    with a_receiver() as checked, a_receiver("127.0.0.2", checked.port) as other:
        url = f"http://localhost:{checked.port}/x"
        reply = post(url, BODY, HEADERS, allow_loopback=True, resolver=rebinding)
        assert (len(checked.received), len(other.received)) == (1, 0)
    assert reply.is_success
    assert asked == [0]


def test_a_redirect_is_not_followed() -> None:
    with a_receiver() as receiver, a_receiver() as target:
        receiver.answers, receiver.location = [307], target.url
        reply = post(receiver.url, BODY, HEADERS, allow_loopback=True)
        assert target.received == []
    assert not reply.is_success
    assert (reply.status, reply.error) == (307, "Redirects are not followed.")


def test_a_receiver_that_says_nothing_or_never_ends_is_left_in_time() -> None:
    with a_receiver() as receiver:
        receiver.seconds = 3
        began = time.monotonic()
        reply = post(receiver.url, BODY, HEADERS, allow_loopback=True, seconds=0.5)
        assert time.monotonic() - began < 2
    assert reply.error == "No whole answer within 0.5 seconds."
    with a_receiver() as receiver:
        receiver.answers, receiver.drips = [200], True
        began = time.monotonic()
        reply = post(receiver.url, BODY, HEADERS, allow_loopback=True, seconds=0.5)
        assert time.monotonic() - began < 2
    assert reply.status == 200  # it has said that it took the message


def test_only_the_beginning_of_an_answer_is_read_and_kept() -> None:
    with a_receiver() as receiver:
        receiver.answers, receiver.words = [500], b"x\0" * 400_000
        reply = post(receiver.url, BODY, HEADERS, allow_loopback=True)
    assert reply.status == 500
    assert reply.excerpt == "x" * EXCERPT


def test_nobody_listening_and_a_name_that_is_none_are_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    reply = post(f"http://127.0.0.1:{port}/", BODY, HEADERS, allow_loopback=True)
    assert reply.error == "The connection was refused."

    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    reply = post("https://nowhere.example/", BODY, HEADERS, resolver=unknown)
    assert reply.error == "The name of the host is not known."
