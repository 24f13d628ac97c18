"""Names that people give to workspaces, Deployments and tokens."""

from __future__ import annotations

import re
from typing import Final

NAME: Final = r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?"
"""Lower-case letters, digits and hyphens, 50 at the most: a name can be typed, and stands in a path and in a file name."""


def is_name(text: str) -> bool:
    return re.fullmatch(NAME, text) is not None
