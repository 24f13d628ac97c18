"""What a site may send to the owner of its plane: the way to it and what was found there, and nothing secret of the site."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tradewind_protocol.checks import Result, Verdict

SENT: Final = frozenset(
    {
        "proxy",
        "name",
        "route",
        "tcp",
        "tls",
        "host",
        "plane",
        "token",
        "deployment",
        "allow-list",
        "versions",
        "clock",
        "idle",
        "mtu",
    }
)
"""Checks of the way to the plane. Those of the site's machine, environments, secrets and storage stay at the site."""

_TOKEN: Final = re.compile(r"tw_[a-z]+_[^\s'\"]*")
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s@]+@")
_PATH: Final = re.compile(r"(?<![\w/.:])/(?:[\w.@~-]+/)+[\w.@~-]+")
_BEGINS: Final = {
    Verdict.OK: "ok",
    Verdict.WARNING: "warning",
    Verdict.FAILED: "FAILED",
    Verdict.SKIPPED: "not checked",
}


def text(results: Sequence[Result], *, plane_url: str, version: str, now: datetime) -> str:
    """As a person pastes it into a message."""
    lines = [
        "Tradewind: connectivity of a site",
        f"plane: {clean(plane_url)}",
        f"agent: {version}",
        f"at: {now:%Y-%m-%d %H:%M} UTC",
        "",
    ]
    for each in results:
        if each.check not in SENT:
            continue
        lines.append(f"- {each.check}: {_BEGINS[each.verdict]}. {clean(each.evidence)}")
        if each.remedy and each.verdict is not Verdict.OK:
            lines.append(f"  remedy: {clean(each.remedy)}")
    return "\n".join(lines)


def clean(found: str) -> str:
    """Without tokens, credentials in addresses, and the names of the site's files; on one line."""
    found = _CREDENTIALS.sub("…@", _TOKEN.sub("tw_…", found))
    return " ".join(_PATH.sub("<file>", found).split())
