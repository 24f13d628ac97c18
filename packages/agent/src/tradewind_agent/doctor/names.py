"""Does the plane's name lead somewhere, and where?"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tradewind_agent.doctor import resolvers
from tradewind_agent.doctor.examined import Examination
from tradewind_protocol.checks import Result, failed, ok, skipped, warning

CHECK = "name"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """With `expect_private` every address has to be private: the way through a private link and not the internet."""
    parts = urlsplit(examination.settings.plane_url)
    host, port = parts.hostname or "", parts.port or (443 if examination.https else 80)
    if examination.proxied and not examination.expect_private:
        yield skipped(CHECK, f"the proxy {examination.proxied} resolves {host}")
        return
    said = await _said(examination, host) if examination.expect_private else ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        examination.reachable = bool(examination.proxied)
        yield failed(
            CHECK,
            f"{host} has no address: {error.strerror or error}{said}",
            "Check plane_url, this machine's DNS servers, and, behind a private link, the private zone: whether it is linked to "
            "this network, and whether it has a record of this name",
        )
        return
    examination.addresses = tuple(dict.fromkeys(str(each[4][0]) for each in found))
    shown = ", ".join(examination.addresses)
    public = [each for each in examination.addresses if not _is_private(each)]
    if examination.expect_private and public:
        yield failed(
            CHECK,
            f"{host} leads to {shown}; not private: {', '.join(public)}{said}",
            "Link this network to the private DNS zone of the plane's private endpoint, and let this machine ask the network's "
            "resolver",
        )
    elif len(examination.addresses) > 16:
        yield warning(CHECK, f"{host} leads to {len(examination.addresses)} addresses", "Check the DNS entry")
    else:
        yield ok(
            CHECK,
            f"{host} leads to {shown}" + (f", all private{said}" if examination.expect_private else ""),
        )


async def _said(examination: Examination, host: str) -> str:
    """What each DNS server of this machine says, and the public one that the caller named."""
    try:
        ipaddress.ip_address(host)
        return ""  # there is nothing to ask
    except ValueError:
        pass
    servers = resolvers.configured()
    own = await resolvers.ask_each(servers, host)
    text = "; " + ("; ".join(map(str, own)) if own else "this machine names no DNS server")
    if examination.public_resolver:
        public = await resolvers.ask(examination.public_resolver, host)
        text += f"; outside, {public}"
    return text


def _is_private(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return parsed.is_private or parsed.is_loopback or parsed.is_link_local
