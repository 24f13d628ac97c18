"""What one check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    OK = "ok"
    WARNING = "warning"  # it works, and a person should know
    FAILED = "failed"
    SKIPPED = "skipped"  # it cannot be told, or is not used


@dataclass(frozen=True)
class Result:
    """One line: the thing, what is so, and what to do about it."""

    check: str  # a stable key: "database", "deployment:sales"
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
