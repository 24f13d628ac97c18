"""What an answer means, and what may be asked again: the one place that decides."""

from __future__ import annotations

import asyncio
import os
import re
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

import httpx

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.http.responses import PlaneResponse, is_success, refusal_in
from tradewind_protocol import errors, versions
from tradewind_protocol.errors import Code, Refused


class Verdict(Enum):
    """What follows from a request that failed."""

    AGAIN = "again"  # send the same request again, after a wait
    SLOWLY = (
        "slowly"  # the same, but an operator has to change something first: wait long and log it as an error
    )
    REOPEN = "reopen"  # a new session cures it
    FENCED = "fenced"  # another process is this agent now: stop at once
    STOP_AGENT = "stop_agent"  # a person has to change the token or a version
    FINAL = "final"  # the plane understood and refuses; asking again gives the same answer


_BUSY: Final = frozenset({Code.UNAVAILABLE, Code.INTERNAL, Code.RATE_LIMITED})
_GATEWAY_STATUSES: Final = frozenset({502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 530})


def verdict(error: PlaneUnreachable | Refused) -> Verdict:
    """What to do about a failed request. Total: every code of the protocol has an answer."""
    if isinstance(error, PlaneUnreachable):
        return Verdict.AGAIN
    if error.code in errors.FATAL_FOR_AGENT:
        return Verdict.STOP_AGENT
    if error.code in errors.REOPEN_SESSION:
        return Verdict.REOPEN
    if error.code is Code.SESSION_FENCED:
        return Verdict.FENCED
    if error.code is Code.ADDRESS_NOT_ALLOWED:
        return Verdict.SLOWLY
    return Verdict.AGAIN if error.code in _BUSY else Verdict.FINAL


def must_be_a_plane(response: PlaneResponse, *, names_itself: bool = False) -> None:
    """Return when a plane answered, whatever it said. Raises PlaneUnreachable, with a sentence that names what did.

    `names_itself`: this plane is known to put its protocol version on every answer, so an answer without it is
    another server's even when it is JSON.
    """
    if versions.HEADER in response.headers or refusal_in(response) is not None:
        return
    if names_itself or response.status_code in _GATEWAY_STATUSES or not _could_be_a_plane(response):
        raise _not_a_plane(response)


def check(response: PlaneResponse) -> None:
    """Return when the plane did what it was asked. Raises Refused when it refused, PlaneUnreachable when the answer
    is not one of the protocol."""
    refused = refusal_in(response)
    if refused is not None:
        raise refused
    if not is_success(response):
        raise _not_a_plane(response)


def unreachable(error: Exception, *, url: str) -> PlaneUnreachable:
    """The agent's own error for one of httpx's, with the cause in words and what a person can do about it."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return not_connected(error, url=url)
    if isinstance(error, httpx.ProxyError):
        return proxy_refused(str(error), url=url)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
        return not_connected(error, url=url)
    if isinstance(error, httpx.PoolTimeout):
        return crowded(url)
    if isinstance(error, httpx.TimeoutException):
        return late(url)
    return broke(error, url=url)


def not_connected(error: BaseException, *, url: str) -> PlaneUnreachable:
    """No connection could be made, or the other side is not to be trusted."""
    where, text = place(url), str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return PlaneUnreachable(
            f"the certificate of {where} is not trusted: {text}",
            remedy="Set ca_file to the authority that signed it, or correct this machine's clock",
            may_have_arrived=False,
        )
    late = isinstance(error, httpx.ConnectTimeout | asyncio.TimeoutError)
    return PlaneUnreachable(
        f"cannot connect to {where}: {'no connection in time' if late else _first_cause(error)}",
        remedy="Check plane_url, that the plane is up, and that this machine may dial out to it",
        may_have_arrived=False,
    )


def proxy_refused(said: str, *, url: str) -> PlaneUnreachable:
    return PlaneUnreachable(
        f"the proxy on the way to {place(url)} refused: {said or 'it did not say why'}",
        remedy="Check HTTPS_PROXY (with its credentials) or the setting proxy, and NO_PROXY",
        may_have_arrived=False,
    )


def crowded(url: str) -> PlaneUnreachable:
    return PlaneUnreachable(f"too many requests to {place(url)} at once", may_have_arrived=False)


def late(url: str) -> PlaneUnreachable:
    return PlaneUnreachable(f"{place(url)} did not answer in time")


def broke(error: Exception, *, url: str) -> PlaneUnreachable:
    return PlaneUnreachable(f"the connection to {place(url)} broke: {str(error) or type(error).__name__}")


def _first_cause(error: BaseException) -> str:
    """What the operating system said. A name with several addresses hides it behind "all attempts failed"."""
    text = str(error) or type(error).__name__
    seen: BaseException | None = error
    while seen is not None:
        several = getattr(seen, "exceptions", ())
        if isinstance(seen, OSError) and seen.strerror:
            # asyncio says "Connect call failed" whatever it was; a failed look-up has numbers of its own, below zero
            text = os.strerror(seen.errno) if seen.errno and seen.errno > 0 else seen.strerror
        seen = several[0] if several else seen.__cause__ or seen.__context__
    several_of_asyncio = re.match(r"Multiple exceptions: \[Errno (\d+)\]", text)
    return os.strerror(int(several_of_asyncio[1])) if several_of_asyncio else text


def too_large_on_the_way(response: PlaneResponse, *, size: int) -> Refused | None:
    """The refusal to take for it when a proxy takes no request of this size: the plane is there, only this does not
    pass. None for every other answer."""
    if response.status_code != 413 or versions.HEADER in response.headers or refusal_in(response) is not None:
        return None
    who = response.headers.get("server") or response.headers.get("via") or "something on the way"
    where = place(str(response.url))
    return Refused(
        Code.TOO_LARGE,
        f"{where}: {who} answered 413: it takes no request of {size} bytes",
        remedy="Let the proxy in front of the plane pass bodies of 32 MB (nginx: client_max_body_size 32m)",
    )


def place(url: str) -> str:
    """Scheme, host, port and path of a URL: what may be shown of it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _could_be_a_plane(response: PlaneResponse) -> bool:
    if response.status_code in (204, 304):
        return True
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return versions.HEADER in response.headers or (kind.endswith("json") and bool(response.content))


def _not_a_plane(response: PlaneResponse) -> PlaneUnreachable:
    status = response.status_code
    where = place(str(response.url))
    who = response.headers.get("server") or response.headers.get("via") or "something"
    if 300 <= status <= 399:
        target = place(str(response.headers.get("location", "")))
        return PlaneUnreachable(
            f"{where} redirects to {target}: a sign-in page or a moved plane, not an orchestration plane",
            remedy="Set plane_url to the final address; let agents pass without interactive sign-in",
            may_have_arrived=False,
        )
    if status in _GATEWAY_STATUSES:
        return PlaneUnreachable(
            f"{where}: {who} answered {status} for the plane", retry_after=_retry_after(response)
        )
    if status == 407:
        return PlaneUnreachable(
            f"a proxy on the way to {where} asks for credentials (407)",
            remedy="Put them in HTTPS_PROXY or the setting proxy",
            may_have_arrived=False,
        )
    kind = response.headers.get("content-type", "").partition(";")[0].strip() or "nothing"
    if status == 404:
        return PlaneUnreachable(
            f"{where}: {who} answered 404 ({kind}): there is no Remote Execution API",
            remedy="Check plane_url with its path prefix, and that tradewind-provider is installed in that Airflow",
            may_have_arrived=False,
        )
    if not response.content:
        kind = "an empty body"
    return PlaneUnreachable(
        f"{where}: {who} answered {status} with {kind} where a plane answers JSON",
        remedy="A proxy, firewall or sign-in page may have answered instead of the plane; check plane_url",
        retry_after=_retry_after(response),
    )


def _retry_after(response: PlaneResponse) -> float | None:
    value = response.headers.get("retry-after", "")
    return min(float(value), 300.0) if value.isdecimal() else None
