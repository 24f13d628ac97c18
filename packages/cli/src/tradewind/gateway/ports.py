"""The sockets that a gateway opens and Caddy accepts connections of."""

from __future__ import annotations

import socket

from tradewind.errors import CommandError
from tradewind.gateway.settings import GatewaySettings


def opened(settings: GatewaySettings) -> dict[str, socket.socket]:
    """A listening socket for each of Caddy's servers, by its name. Raises CommandError, and then none is left open."""
    sockets: dict[str, socket.socket] = {}
    for name, listen in _addresses(settings).items():
        try:
            sockets[name] = _listening(listen)
        except OSError as error:
            for one in sockets.values():
                one.close()
            raise CommandError(f"cannot listen at {listen}: {error.strerror or error}") from error
    return sockets


def _addresses(settings: GatewaySettings) -> dict[str, str]:
    wanted = {
        "public": settings.public.listen if settings.public is not None else None,
        "health": settings.health,
        "people": settings.people.listen if settings.people is not None else None,
    }
    if wanted["people"] == wanted["public"]:
        del wanted["people"]  # one server serves both
    return {name: listen for name, listen in wanted.items() if listen is not None}


def _listening(listen: str) -> socket.socket:
    """At [ADDRESS]:PORT; without an address at every one of the machine. Raises OSError."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", int(port)), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=1024)
