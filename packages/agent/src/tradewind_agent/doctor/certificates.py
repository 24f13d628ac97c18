"""Is the plane's certificate trusted, and for how long yet?"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.http import tls
from tradewind_agent.kits import aiotime
from tradewind_protocol.checks import Result, failed, ok, skipped, warning

CHECK = "tls"
_SOON = 14 * 86400.0
_OF_THE_NAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

_OF_NO_CERTIFICATE = ("unrecognized name", "internal error", "handshake failure")
_GIVEN_NAME = "Use the name that the plane's owner gave you in plane_url. If it is that one"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Speaks TLS as the agent does: with its authorities and its client certificate."""
    if not examination.https:
        yield _plain(examination)
        return
    try:
        examination.tls = tls.context(examination.settings)
    except SettingsWrong as error:
        examination.reachable = False
        yield failed(CHECK, error.message, error.remedy or "Correct the file")
        return
    if examination.proxied or not examination.reachable:
        yield skipped(
            CHECK,
            "seen with the first request" if examination.reachable else "there is no connection to look at",
        )
        return
    parts = urlsplit(examination.settings.plane_url)
    try:
        _, writer = await aiotime.within(
            asyncio.open_connection(
                examination.target, parts.port or 443, ssl=examination.tls, server_hostname=parts.hostname
            ),
            examination.patience,
        )
    except (ssl.SSLError, OSError, asyncio.TimeoutError) as error:
        examination.reachable = False
        shown = await _shown(examination) if isinstance(error, ssl.SSLCertVerificationError) else {}
        yield _broken(error, shown, parts.hostname or "")
        return
    session = writer.get_extra_info("ssl_object")
    certificate = session.getpeercert() or {}
    writer.close()
    yield _judged(certificate, session.version() or "TLS")


def _plain(examination: Examination) -> Result:
    unwise = [each for each in examination.settings.warnings() if "plain http" in each]
    if unwise:
        return warning(CHECK, unwise[0], "Use an https address")
    return ok(CHECK, "plain http to this machine")


def _judged(certificate: dict[str, object], version: str) -> Result:
    left = ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()
    evidence = f"{version}, certificate by {_issuer(certificate)}, valid for {left / 86400:.0f} days"
    if left < _SOON:
        return warning(CHECK, evidence, "Ask the administrator of the plane to renew it")
    return ok(CHECK, evidence)


async def _shown(examination: Examination) -> dict[str, object]:
    """What stands in a certificate that is not trusted. Empty if it cannot be read."""
    parts = urlsplit(examination.settings.plane_url)
    try:
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        leaf = await _certificate(blind, examination, parts.hostname, parts.port or 443, binary=True)
        # The library reads only what it has verified, so the certificate is made its own authority.
        reading = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        reading.check_hostname = False
        reading.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        reading.load_verify_locations(cadata=leaf)
        found = await _certificate(reading, examination, parts.hostname, parts.port or 443, binary=False)
        return dict(found or {})
    except (ssl.SSLError, OSError, ValueError, asyncio.TimeoutError):
        return {}


async def _certificate(
    context: ssl.SSLContext, examination: Examination, host: str | None, port: int, *, binary: bool
) -> Any:
    _, writer = await aiotime.within(
        asyncio.open_connection(examination.target, port, ssl=context, server_hostname=host),
        examination.patience,
    )
    try:
        return writer.get_extra_info("ssl_object").getpeercert(binary_form=binary)
    finally:
        writer.transport.abort()


def _issuer(certificate: Mapping[str, object]) -> str:
    issuer = dict(pair for group in certificate.get("issuer", ()) for pair in group)  # type: ignore[attr-defined]
    return str(issuer.get("organizationName") or issuer.get("commonName") or "an authority without a name")


def _names(certificate: Mapping[str, object]) -> str:
    names = [str(value) for _, value in certificate.get("subjectAltName", ())]  # type: ignore[attr-defined]
    return ", ".join(names) or "no name"


def _broken(error: Exception, shown: Mapping[str, object], name: str) -> Result:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OF_THE_NAME:
            names = f"; it is for {_names(shown)}, issued by {_issuer(shown)}" if shown else ""
            return failed(
                CHECK,
                f"the certificate is for another name: {error.verify_message}{names}",
                f"{_GIVEN_NAME} and the certificate is another cluster's, the record of the private zone leads to that cluster's "
                "endpoint: correct it. Else the plane's owner has to correct the gateway's certificate",
            )
        by = f"; it was issued by {_issuer(shown)}" if shown else ""
        return failed(
            CHECK,
            f"the certificate is not trusted: {error.verify_message}{by}",
            "Set ca_file to the authority that signed it. If that is your company's, its proxy opens the connections of this "
            "machine: have it leave out the plane's name, or set ca_file to the company's authority",
        )
    if "alert" in str(error).lower() and "certificate" in str(error).lower():
        return failed(
            CHECK, f"the other side wants a client certificate: {error}", "Set client_cert and client_key"
        )
    if (alert := _alert(error)) in _OF_NO_CERTIFICATE:
        return failed(
            CHECK,
            f"the other side has no certificate for {name}: it ends TLS with the alert {alert!r}"
            if alert == "unrecognized name"
            else f"the other side ends TLS with the alert {alert!r}: a gateway that has no certificate for {name} does so",
            f"{_GIVEN_NAME}, either the record of the private zone leads to another cluster's endpoint, or the gateway has the "
            "certificate of another name: correct the record, or ask the plane's owner",
        )
    if isinstance(error, asyncio.TimeoutError):
        return failed(
            CHECK,
            "TLS does not come about: no answer in time",
            "TCP connects and the certificate does not arrive: see the line mtu below, and whether plane_url is an https address",
        )
    reset = isinstance(error, ConnectionError)
    return failed(
        CHECK,
        f"TLS does not come about: {str(error) or type(error).__name__}",
        "The other side hangs up before TLS: a load balancer whose gateway expects the PROXY protocol without getting it, or the "
        "reverse, does so. Ask the plane's owner, and check that plane_url is an https address"
        if reset
        else "Check that plane_url is an https address",
    )


def _alert(error: Exception) -> str:
    """The TLS alert that the other side sent, in the words of RFC 8446. Empty: it sent none."""
    words = (getattr(error, "reason", None) or "").lower().split("_")
    if words[0] not in ("tlsv1", "tlsv13", "sslv3"):
        return ""
    return " ".join(words[2:] if words[1:2] == ["alert"] else words[1:])
