"""The Remote Agents page as Airflow's UI loads it: one script built from the source in `ui/`, and two icons.

The script is committed, so that a checkout without Node serves the page; `built_from` in it is the hash of the
sources it was built from, which `make ui-check` compares.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

FILES: Final = {
    "remote-agents.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "icon-dark.svg": "image/svg+xml",
}
"""What is served, and as what."""

_HERE = Path(__file__).parent


@lru_cache(maxsize=len(FILES))
def content(name: str) -> bytes:
    """One of FILES. Raises KeyError for anything else: a name never becomes a path."""
    if name not in FILES:
        raise KeyError(name)
    return (_HERE / name).read_bytes()


def fingerprint(name: str) -> str:
    """Changes when the file does."""
    return hashlib.sha256(content(name)).hexdigest()[:16]


def address(name: str) -> str:
    """Where a browser gets the file, below Airflow's own address, and anew when the file has changed."""
    return f"tradewind/ui/{name}?v={fingerprint(name)}"


def react_app() -> dict[str, Any]:
    """The page in Airflow's navigation."""
    return {
        "name": "Agents",  # as long a word as the navigation shows whole
        "bundle_url": address("remote-agents.js"),
        "destination": "nav",
        "nav_top_level": True,
        "url_route": "remote-agents",
        "icon": address("icon.svg"),
        "icon_dark_mode": address("icon-dark.svg"),
    }


def api_docs() -> dict[str, Any]:
    """The operator API's own page, under Docs."""
    return {
        "name": "Remote Agents API",
        "href": "tradewind/docs",
        "destination": "nav",
        "category": "docs",
        "url_route": "remote-agents-api",
        "icon": address("icon.svg"),
        "icon_dark_mode": address("icon-dark.svg"),
    }
