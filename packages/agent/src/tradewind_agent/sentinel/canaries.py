"""What the plane's canaries say of the queues of the sentinel's site, as findings: pure functions of what the plane has told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

from tradewind_protocol.sentinel import QueueCanary, SentinelFinding

_AT: Final = {
    "claim": "is not claimed",
    "start": "is claimed and does not start",
    "log": "starts, and its log is not kept",
    "finish": "starts, and the plane does not learn how it ends",
}
"""What becomes of work, by the part of the way that fails."""


def findings(
    canaries: Iterable[QueueCanary], since: Callable[[tuple[str, str], datetime], datetime]
) -> Iterator[SentinelFinding]:
    """One for each queue whose last canary that was tried has failed. `since` remembers when each finding began."""
    for one in canaries:
        if not one.failures:
            continue
        check, subject = f"canary:{one.hop or 'claim'}", f"queue:{one.queue}"
        what = _AT.get(one.hop, "does not go all the way")
        yield SentinelFinding(
            check=check,
            subject=subject,
            cause=f"work of queue {one.queue} {what}{_why(one)}",
            evidence=_evidence(one),
            remedy=one.remedy,
            since=since((check, subject), one.at),
            count=one.failures,
        )


def _why(one: QueueCanary) -> str:
    """Of one that was not tried, the reason says why not, and not what fails."""
    return f": {one.reason}" if one.reason and one.result == "failed" else ""


def _evidence(one: QueueCanary) -> str:
    parts = [f"a canary at {one.at:%H:%M:%S} UTC"]
    parts += [f"{hop} {took:.2f} s" for hop, took in one.seconds.items()]
    parts.append(f"{one.failures} failed one after the other")
    parts.append(
        f"the last good one was at {one.ok_at:%Y-%m-%d %H:%M:%S} UTC" if one.ok_at else "none has been good"
    )
    return "; ".join(parts)
