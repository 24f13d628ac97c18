"""Does the plane's name lead somewhere, and where?"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from tradewind_agent.doctor.results import Examination, Result, failed, ok, skipped, warning

CHECK = "name"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """With `expect_private` every address has to be private: the way through a private link and not the internet."""
    parts = urlsplit(examination.settings.plane_url)
    host, port = parts.hostname or "", parts.port or (443 if examination.https else 80)
    if examination.proxied and not examination.expect_private:
        yield skipped(CHECK, f"the proxy {examination.proxied} resolves {host}")
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        examination.reachable = bool(examination.proxied)
        yield failed(
            CHECK,
            f"{host} has no address: {error.strerror or error}",
            "Check plane_url, this machine's DNS servers, and the private zone if the plane is behind a private link",
        )
        return
    examination.addresses = tuple(dict.fromkeys(str(each[4][0]) for each in found))
    shown = ", ".join(examination.addresses)
    public = [each for each in examination.addresses if not _is_private(each)]
    if examination.expect_private and public:
        yield failed(
            CHECK,
            f"{host} leads to {shown}; not private: {', '.join(public)}",
            f"Link this network to the private DNS zone of the plane's private endpoint; {_resolvers()}",
        )
    elif len(examination.addresses) > 16:
        yield warning(CHECK, f"{host} leads to {len(examination.addresses)} addresses", "Check the DNS entry")
    else:
        yield ok(
            CHECK,
            f"{host} leads to {shown}"
            + (f", all private; {_resolvers()}" if examination.expect_private else ""),
        )


def _resolvers(file: Path = Path("/etc/resolv.conf")) -> str:
    """Which DNS servers this machine asks."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except (OSError, ValueError):
        lines = []
    servers = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    return f"this machine asks {', '.join(servers)}" if servers else "this machine names no DNS server"


def _is_private(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return parsed.is_private or parsed.is_loopback or parsed.is_link_local
