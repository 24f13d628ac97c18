"""A site is the unit of trust and of dispatch: agent tokens and Dag bundles belong to one, and so does all work."""

from __future__ import annotations

from typing import Final

DEFAULT: Final = "default"
"""The site of an agent token for which no site was named."""
