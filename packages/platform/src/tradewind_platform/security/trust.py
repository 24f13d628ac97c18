"""The authorities whose certificates are trusted."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def of_this_machine() -> ssl.SSLContext:
    """Those that httpx trusts, read once a process, because that takes 25 ms of CPU: a new one counts after a restart."""
    return httpx.create_ssl_context()
