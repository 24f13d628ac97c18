"""What a check of a doctor has found: the agent's, the platform's, and that of a task environment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"  # it works, and a person should know
    FAILED = "failed"  # it does not work, or not all of it
    SKIPPED = "skipped"  # it cannot be told, because something before it failed, or it is not used


@dataclass(frozen=True)
class Result:
    """One line: the thing, what is so, and what to do about it."""

    check: str  # a stable key: "tls", "environment:default", "deployment:sales"
    verdict: Verdict
    evidence: str
    remedy: str = ""

    def document(self) -> dict[str, str]:
        """For JSON."""
        return {
            "check": self.check,
            "verdict": self.verdict.value,
            "evidence": self.evidence,
            "remedy": self.remedy,
        }


def ok(check: str, evidence: str) -> Result:
    return Result(check, Verdict.OK, evidence)


def warning(check: str, evidence: str, remedy: str) -> Result:
    return Result(check, Verdict.WARNING, evidence, remedy)


def failed(check: str, evidence: str, remedy: str) -> Result:
    return Result(check, Verdict.FAILED, evidence, remedy)


def skipped(check: str, evidence: str) -> Result:
    return Result(check, Verdict.SKIPPED, evidence)
