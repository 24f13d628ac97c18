"""What is looked at before a Deployment is upgraded: pure rules over what a driver has found out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Final

from tradewind_protocol import airflow_versions


class Verdict(str, Enum):
    OK = "ok"
    WARNING = "warning"  # the upgrade may be done; a person should know
    REFUSED = "refused"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. One that is not ok says why, and what to do."""

    check: str
    verdict: Verdict
    message: str = ""
    remedy: str = ""

    def as_fact(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict.value}


def refused(checks: Iterable[Check]) -> str:
    """Why the upgrade is not done, in a sentence for each reason; empty when it may be."""
    return " ".join(f"{one.message} {one.remedy}".strip() for one in checks if one.verdict is Verdict.REFUSED)


def is_version(text: str) -> bool:
    """Whether it can be compared with others: no release candidate can."""
    return re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){2}", text) is not None


def order(version: str) -> tuple[int, ...]:
    """A version to compare with others. Raises ValueError for what is none."""
    if not is_version(version):
        raise ValueError(f"{version!r} is no version of Airflow: write 3.3.2")
    return tuple(int(part) for part in version.split("."))


def direction(now: str, wanted: str) -> Check:
    """Only to a newer version, and over no minor."""
    name = "version"
    if not now:
        return Check(name, Verdict.WARNING, "The version that runs is not known.", "It is known afterwards.")
    before, after = order(now), order(wanted)
    if after <= before:
        return Check(
            name,
            Verdict.REFUSED,
            f"It runs {now}, and {wanted} is not newer.",
            "Restore a backup to go back: `tradewind deployments rollback`.",
        )
    if after[:1] != before[:1] or after[1] > before[1] + 1:
        return Check(
            name,
            Verdict.REFUSED,
            f"{wanted} is more than one minor ahead of {now}.",
            f"Upgrade to {before[0]}.{before[1] + 1} first.",
        )
    return Check(name, Verdict.OK, f"{now} → {wanted}")


def schema(
    code: Mapping[str, Sequence[str]], database: Mapping[str, str], known: Mapping[str, bool]
) -> Check:
    """Whether the new code knows the database, and whether it has to be migrated. From heads, and never from the version:
    patch releases have migrations, too."""
    name = "database"
    strange = sorted(table for table, head in database.items() if head and not known.get(table, True))
    if strange:
        return Check(
            name,
            Verdict.REFUSED,
            f"The database was migrated by a newer version: {', '.join(f'{one} {database[one]}' for one in strange)}.",
            "Choose a version that knows it.",
        )
    needed = sorted(table for table, heads in code.items() if database.get(table) not in heads)
    if not needed:
        return Check(name, Verdict.OK, "No migration is needed.")
    return Check(name, Verdict.OK, f"It is migrated: {', '.join(needed)}.")


def agents(wanted: str, found: Iterable[Mapping[str, Any]]) -> Check:
    """Each agent's environments run with the new plane: at most one minor behind it, none ahead."""
    reasons = [
        f"agent {agent['name']}, environment {environment['name']}: {why}"
        for agent in found
        for environment in agent.get("environments", ())
        if (why := airflow_versions.skew(str(environment.get("airflow", "")), wanted))
    ]
    if reasons:
        return Check(
            "agents", Verdict.REFUSED, "; ".join(reasons) + ".", airflow_versions.remedy(wanted) + "."
        )
    return Check("agents", Verdict.OK)


_TIMES: Final = 2


def disk(free: int, database: int) -> Check:
    """Room for the backup and for what a migration writes: twice the database."""
    if free < _TIMES * database:
        return Check(
            "disk",
            Verdict.REFUSED,
            f"{_mb(free)} are free where backups are kept, and the database has {_mb(database)}.",
            f"Make room for {_mb(_TIMES * database)}.",
        )
    return Check("disk", Verdict.OK, f"{_mb(free)} free, database {_mb(database)}")


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
