"""From which address does this machine reach the plane's, and what answers at the root of its name?"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.plane import retry
from tradewind_protocol.checks import Result, failed, ok, skipped

CHECK = "route"
HOST_CHECK = "host"
_NOT_FOUND = "404 page not found"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Asks the kernel for its way to each address; no packet leaves."""
    if not examination.expect_private:
        return
    if not examination.addresses:
        yield skipped(CHECK, "the plane's name has no address")
        return
    ways, without = [], []
    for address in examination.addresses:
        try:
            ways.append(f"{address} from {_source(address)}")
        except OSError as error:
            without.append(f"{address}: {error.strerror or error}")
    if without and not ways:
        examination.reachable = False
    if without:
        yield failed(
            CHECK,
            f"this machine has no route to {'; '.join(without)}",
            "Add a route to the network of the private endpoint, or link this network to it",
        )
    else:
        yield ok(CHECK, ", ".join(ways))


async def at_the_root(examination: Examination) -> AsyncIterator[Result]:
    """The gateway of a cluster answers 404 as plain text there. Anything else is not the gateway."""
    if not examination.expect_private:
        return
    if not examination.reachable or examination.http is None:
        yield skipped(HOST_CHECK, "the plane is not reached")
        return
    parts = urlsplit(examination.settings.plane_url)
    root = f"{parts.scheme}://{parts.netloc}/"
    try:
        response = await examination.http.get(root)
    except httpx.HTTPError as error:
        failure = retry.unreachable(error, url=root)
        yield failed(HOST_CHECK, failure.message, failure.remedy or "Check the way to the gateway")
        return
    said = response.text.strip()
    if response.status_code == 404 and said == _NOT_FOUND:
        yield ok(HOST_CHECK, f"{root} answers {_NOT_FOUND!r}: this is a name for agents")
        return
    first = said.splitlines()[0][:60] if said else "nothing"
    yield failed(
        HOST_CHECK,
        f"{root} answers {response.status_code} with {first!r} in the place of {_NOT_FOUND!r}",
        "The name leads to something else than the agents' gateway: compare the record of the private zone with the address of "
        "your endpoint, and ask the plane's owner whether [tradewind] agent_hosts has the name",
    )


def _source(address: str) -> str:
    """The address of this machine that packets to `address` have. Raises OSError without a route."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        return str(probe.getsockname()[0])
