"""The token by which an identity provider pushes people and groups: its prefix, and what may be shown of it."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "tw_scim_"
SHOWN: Final = len(PREFIX) + 4
"""Characters of a token that may be listed and logged."""
