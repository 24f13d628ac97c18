"""What is wrong with pods and with what makes them: pure functions of Kubernetes' API objects and the time.

`pods` and `containers` look at one pod, `workloads` at the events of a Deployment or StatefulSet. They quote what Kubernetes
says to the letter; `sentinel.rules` redacts it before it leaves the site.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, since when, and what helps."""

    check: str
    cause: str
    evidence: str  # as Kubernetes says it
    remedy: str
    since: datetime
    count: int = 1
