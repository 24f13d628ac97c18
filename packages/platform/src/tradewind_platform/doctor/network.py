"""Addresses: the platform's own, those of clusters' gateways, and the identity provider's."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import httpx
from cryptography import x509

from tradewind_protocol.checks import Result, failed, ok, warning

_PATIENCE: Final = 10.0
_SKEW: Final = timedelta(seconds=30)
_SOON: Final = timedelta(days=21)


@dataclass(frozen=True)
class Asked:
    """What an address has answered, or why it did not."""

    url: str
    answer: httpx.Response | None
    error: str = ""


def ask(url: str, *, ca_file: str | None) -> Asked:
    """Ask an address once."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
        return Asked(url, httpx.get(url, timeout=_PATIENCE, verify=context))
    except (httpx.HTTPError, OSError) as error:
        return Asked(url, None, str(error) or type(error).__name__)


def answers(check: str, asked: Asked, *, status: int, remedy: str, says: str = "") -> Result:
    """Whether an address answers with this status, and its body has this text."""
    url, answer = asked.url, asked.answer
    if answer is None:
        return failed(check, f"{url} does not answer: {asked.error}", remedy)
    if answer.status_code != status or says not in answer.text:
        return failed(check, f"{url} answers {answer.status_code}, and not {status} {says}".rstrip(), remedy)
    return ok(check, f"{url} answers {status}")


def clock(asked: Asked, now: datetime) -> Result | None:
    """Whether another machine's clock agrees; None when it does not say the time."""
    if asked.answer is None:
        return None
    try:
        there = parsedate_to_datetime(asked.answer.headers["Date"])
    except (KeyError, ValueError):
        return None
    host = urlsplit(asked.url).netloc
    if abs(there - now) > _SKEW:
        seconds = (now - there).total_seconds()
        return failed("clock", f"this machine is {seconds:+.0f} s from {host}", "Run NTP on both machines.")
    return ok("clock", f"agrees with {host}")


def certificate(url: str, now: datetime) -> Result | None:
    """How long the certificate of an address is good; None for plain HTTP."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        return None
    check = f"certificate:{parts.netloc}"
    try:
        pem = ssl.get_server_certificate((parts.hostname, parts.port or 443), timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        return failed(check, f"no TLS: {error}", "Start what serves it, or correct its certificate.")
    ends = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    if ends <= now:
        return failed(
            check, f"it ended at {ends:%Y-%m-%d %H:%M} UTC", "Renew it, and start its server again."
        )
    if ends - now < _SOON:
        return warning(check, f"it ends in {(ends - now).days} days", "Renew it.")
    return ok(check, f"good until {ends:%Y-%m-%d}")
