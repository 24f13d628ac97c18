"""Results of checks, and what one check passes on to the next."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

import httpx

from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.settings import Settings
from tradewind_protocol.site import AboutToken


class Verdict(str, Enum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"  # works, and a person should know
    FAILED = "failed"  # the agent cannot work, or not all of it
    SKIPPED = "skipped"  # cannot be told, because something before it failed or it is not used


@dataclass(frozen=True)
class Result:
    """One line."""

    check: str  # stable key: "tls", "environment:default"
    verdict: Verdict
    evidence: str
    remedy: str = ""

    def document(self) -> dict[str, str]:
        """For JSON."""
        return {
            "check": self.check,
            "verdict": self.verdict.value,
            "evidence": self.evidence,
            "remedy": self.remedy,
        }


def ok(check: str, evidence: str) -> Result:
    return Result(check, Verdict.OK, evidence)


def warning(check: str, evidence: str, remedy: str) -> Result:
    return Result(check, Verdict.WARNING, evidence, remedy)


def failed(check: str, evidence: str, remedy: str) -> Result:
    return Result(check, Verdict.FAILED, evidence, remedy)


def skipped(check: str, evidence: str) -> Result:
    return Result(check, Verdict.SKIPPED, evidence)


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
