"""Networks and addresses as lists of allowed addresses have them."""

from __future__ import annotations

import pytest

from tradewind_protocol.networks import bare, network, within


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7:1234 ", "203.0.113.7"),
        ("[2001:DB8::7]:80", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("x" * 100, "x" * 64),
    ],
    ids=["bare", "with a port", "IPv6 with a port", "IPv4 in IPv6", "nothing", "no address"],
)
def test_an_address_has_no_port_and_one_form(text: str, address: str) -> None:
    assert bare(text) == address


def test_an_address_is_in_a_network_of_its_own_version() -> None:
    among = [network("203.0.113.0/24"), network("2001:db8::/32")]
    assert (
        within("203.0.113.7", among) and within("2001:db8::7", among) and within("::ffff:203.0.113.7", among)
    )
    assert not within("203.0.114.7", among) and not within("::cb00:7107", among)


@pytest.mark.parametrize("text", ["", "testclient", "203.0.113", "unix:"])
def test_what_is_no_address_is_in_no_network(text: str) -> None:
    assert not within(text, [network("0.0.0.0/0"), network("::/0")])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::/0", "::/0"),
    ],
    ids=["a network", "an address", "none"],
)
def test_a_network_of_version_4_that_is_written_as_version_6_is_one_of_version_4(
    text: str, plain: str
) -> None:
    """Addresses are compared in that form: the network would hold none."""
    assert str(network(text)) == plain


@pytest.mark.parametrize("text", ["10.1.2.3/8", "office", "203.0.113.0/33"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        network(text)
