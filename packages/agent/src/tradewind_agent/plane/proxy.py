"""Which proxy is on the way to the plane."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass


def of(plane_url: str, setting: str | None) -> str | None:
    """The proxy the agent uses for the plane, credentials included; None when it goes straight."""
    if setting:
        return setting
    parts = urlsplit(plane_url)
    if proxy_bypass(parts.hostname or ""):
        return None
    found = getproxies()
    return found.get(parts.scheme) or found.get("all")


@dataclass(frozen=True)
class Tunnel:
    """A proxy that is spoken to without TLS and asked for a way through by CONNECT."""

    host: str
    port: int
    authorization: str | None = field(repr=False)

    @classmethod
    def through(cls, proxy: str) -> Tunnel | None:
        """None for a proxy of another kind."""
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme != "http" or not parts.hostname:
            return None
        authorization = None
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            authorization = f"Basic {base64.b64encode(pair).decode()}"
        return cls(parts.hostname, parts.port or 80, authorization)
