"""Where a browser goes after sign-in: a path of the platform, and no other site."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

HOME: Final = "/"
_LONGEST: Final = 4000


def safe_path(asked: str | None) -> str:
    """The path with its query, or `/` for what a browser could take for another site's address."""
    if not asked or len(asked) > _LONGEST or not asked.startswith("/") or asked.startswith("//"):
        return HOME
    if "\\" in asked or any(ord(char) <= 32 or ord(char) == 127 for char in asked):
        return HOME
    parts = urlsplit(asked)
    return asked if not parts.scheme and not parts.netloc else HOME
