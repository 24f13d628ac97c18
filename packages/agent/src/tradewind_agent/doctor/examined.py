"""What is examined, and what one check passes on to the next."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.settings import Settings
from tradewind_protocol.site import AboutToken


@dataclass(frozen=True)
class BackendReads:
    """What is read from a site's secrets backends by name, beside what can be listed there."""

    connections: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass
class Examination:
    """What is examined, and what earlier checks found out for later ones."""

    settings: Settings
    expect_private: bool = False  # the plane's name has to lead to private addresses only
    public_resolver: str = ""  # a DNS server of the internet to compare with; empty: none is asked
    long: float = 0.0  # seconds for which connections are left idle; 0: that is not measured
    read: BackendReads = BackendReads()
    patience: float = 10.0  # seconds for an answer from the network
    token: AgentToken | None = None  # instead of the one that the settings name
    environment_patience: float = 240.0  # seconds for an environment to look at itself
    http: httpx.AsyncClient | None = None
    tls: ssl.SSLContext | None = None
    proxied: str = ""  # the proxy on the way, without its credentials
    addresses: tuple[str, ...] = ()
    reachable: bool = True  # so far
    answering: str = ""  # the address of the plane that takes TCP connections; empty: none does
    running: bool = False  # an agent runs from the state directory
    about: AboutToken | None = None  # once the plane has taken the token

    @property
    def target(self) -> str:
        """Where a connection of the doctor's own goes."""
        return self.answering or urlsplit(self.settings.plane_url).hostname or ""

    @property
    def https(self) -> bool:
        return self.settings.plane_url.startswith("https:")
