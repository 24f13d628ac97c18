"""Is the plane's certificate trusted, and for how long yet?"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tradewind_agent.doctor.results import Examination, Result, failed, ok, skipped, warning
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.http import tls
from tradewind_agent.kits import aiotime

CHECK = "tls"
_SOON = 14 * 86400.0
_OF_THE_NAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


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
                parts.hostname, parts.port or 443, ssl=examination.tls, server_hostname=parts.hostname
            ),
            examination.patience,
        )
    except (ssl.SSLError, OSError, asyncio.TimeoutError) as error:
        examination.reachable = False
        yield _broken(error)
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
    issuer = dict(pair for group in certificate.get("issuer", ()) for pair in group)  # type: ignore[attr-defined]
    by = issuer.get("organizationName") or issuer.get("commonName") or "an authority without a name"
    left = ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()
    evidence = f"{version}, certificate by {by}, good for {left / 86400:.0f} days"
    if left < _SOON:
        return warning(CHECK, evidence, "Ask the administrator of the plane to renew it")
    return ok(CHECK, evidence)


def _broken(error: Exception) -> Result:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OF_THE_NAME:
            return failed(
                CHECK,
                f"the certificate is for another name: {error.verify_message}",
                "Use the name that the plane's owner gave you in plane_url. If it is that one, it leads elsewhere: check the "
                "record of the private zone",
            )
        return failed(
            CHECK,
            f"the certificate is not trusted: {error.verify_message}",
            "Set ca_file to the authority that signed it; a company's TLS-inspecting proxy has one of its own",
        )
    if "alert" in str(error).lower() and "certificate" in str(error).lower():
        return failed(
            CHECK, f"the other side wants a client certificate: {error}", "Set client_cert and client_key"
        )
    cause = "no answer in time" if isinstance(error, asyncio.TimeoutError) else str(error)
    return failed(CHECK, f"TLS does not come about: {cause}", "Check that plane_url is an https address")
