"""The platform's own address, and whether a request of a browser comes from its pages."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_COOKIE: Final = "tw_session"


def origin_of(url: str) -> str:
    """Scheme, host and port of an address. Raises ValueError for one that is not http or https, or has more than that."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError(f"{url!r} is not the address of a web server")
    if parts.path not in ("", "/") or parts.fragment:
        raise ValueError(f"{url!r} has a path; the platform has a host name of its own")
    usual = ":443" if parts.scheme == "https" else ":80"  # a browser leaves it out
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(usual)}"


def cookie_name(origin: str, name: str = _COOKIE) -> str:
    """`__Host-…` where the platform has TLS: no other host and no other path can set it."""
    return f"__Host-{name}" if is_secure(origin) else name


def is_secure(origin: str) -> bool:
    return origin.startswith("https://")


def comes_from_own_pages(method: str, sent: str | None, own: str) -> bool:
    """Whether a request that a cookie authenticates may do what it asks for.

    A browser sends `Origin` with every request that changes something, and a page cannot forge it. A request without
    one is refused, too: nothing but a browser has the cookie.
    """
    return method in SAFE_METHODS or (sent is not None and sent.lower() == own)
