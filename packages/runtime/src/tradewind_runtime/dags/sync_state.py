"""What this dag processor knows of the plane, and what waits to be sent to it. State only: no input, no output.

The parsing loop puts results in; the plane sync client's threads take reports and put answers in. Every method may be called from
any thread. Of each file only the latest result waits, so a plane that is away costs memory once per file, not per parse.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tradewind_protocol import dags
from tradewind_protocol.dags import Role
from tradewind_protocol.errors import Refusal
from tradewind_protocol.polling import Finding
from tradewind_runtime.dags import bundle_fetches
from tradewind_runtime.dags.results import Sized

MOST_FINDINGS: Final = 20
"""Of refused files, at once. The log has them all."""

_TWO_KEYS: Final = (
    "another agent of this site keeps text under another key: every Dag gets a new version when one takes over from the "
    "other, and neither can open the arguments of triggers that the other has sealed"
)
_ONE_KEY: Final = "Give every agent of the site the same site_key_file, and the same `deployment` where their plane_url differs"

REFRESHES_REPORTED: Final = timedelta(minutes=1)
"""How often the plane is told of refreshes that found nothing new."""


@dataclass
class _Bundle:
    """One bundle of this environment's configuration."""

    claim: dags.BundleClaim
    role: Role | None = None
    mark: str = ""
    version: str | None = None
    version_data: dict[str, Any] | None = None
    refreshed_at: datetime | None = None
    held: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # on the plane: content, version
    parsed: dict[str, str] = field(default_factory=dict)  # here: content
    refused: dict[str, str] = field(default_factory=dict)  # by the plane: content
    refusal: Refusal | None = None  # of the bundle itself
    another_key: str = ""  # the agent that claimed it before with another site's key
    refusals: dict[str, dags.FileRefused] = field(default_factory=dict)  # of its files, as last sent
    # what waits to be sent
    files: dict[str, Sized] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    refreshed: datetime | None = None
    refresh_reported_at: datetime | None = None
    in_flight: bool = False

    def waits(self) -> bool:
        return bool(self.files or self.same or self.removed or self.refreshed)

    def forget_waiting(self) -> None:
        self.files.clear()
        self.same.clear()
        self.removed.clear()
        self.refreshed = None


@dataclass(frozen=True)
class BundleState:
    """A bundle as last refreshed, here or by the agent that was leader before."""

    version: str | None
    refreshed_at: datetime | None


class SyncState:
    """See the module. `instance` is this process's identity on the plane."""

    def __init__(
        self,
        instance: UUID,
        claims: Iterable[dags.BundleClaim],
        *,
        broken: Collection[str] = (),
        key: str = "",
    ) -> None:
        self.instance = instance
        self._key = key
        self._broken = set(broken)
        self._not_fetched: dict[str, str] = {}
        self._bundles = {claim.name: _Bundle(claim) for claim in claims}
        self._condition = threading.Condition()
        self._reparse: set[tuple[str, str]] = set()
        self._batch_files = dags.FILES_IN_REPORT

    # ---- the parsing loop

    def led(self) -> set[str]:
        """Names of the bundles this one speaks for."""
        with self._condition:
            return {name for name, one in self._bundles.items() if one.role is Role.SPEAKS}

    def state(self, bundle: str) -> BundleState:
        """How the bundle was last refreshed."""
        with self._condition:
            one = self._bundles[bundle]
            return BundleState(one.version, one.refreshed_at)

    def refreshed(self, bundle: str, *, at: datetime, version: str | None) -> None:
        """The bundle was refreshed. `version=None` leaves the version as it is.

        The plane hears of it with the next result, and by itself when the version is another or a minute has gone by.
        """
        with self._condition:
            one = self._bundles[bundle]
            one.refreshed_at = at
            another = version is not None and version != one.version
            if (
                another
                or one.refresh_reported_at is None
                or at - one.refresh_reported_at >= REFRESHES_REPORTED
            ):
                one.refreshed = at
            if version is not None:
                one.version, one.version_data = version, None
            self._condition.notify_all()

    def parsed(self, bundle: str, sized: Sized, *, version_data: dict[str, Any] | None = None) -> None:
        """A file was parsed. Waits to be sent only when the plane does not hold exactly this."""
        path, content = sized.result.path, sized.result.content
        with self._condition:
            one = self._bundles[bundle]
            one.version_data = version_data if version_data is not None else one.version_data
            one.parsed[path] = content
            one.files.pop(path, None)
            one.same.pop(path, None)
            one.removed.discard(path)
            held = one.held.get(path)
            if held == (content, one.version) or one.refused.get(path) == content:
                return
            if held is not None and held[0] == content:
                one.same[path] = content
            else:
                one.files[path] = sized
            self._condition.notify_all()

    def present(self, bundle: str, paths: Collection[str]) -> None:
        """These are all files the bundle has now; what the plane holds beyond them is gone."""
        with self._condition:
            one = self._bundles[bundle]
            gone = {path for path in one.held if not _within(path, paths)}
            for path in [path for path in one.refusals if path not in paths]:
                del one.refusals[path]
            for path in [path for path in (*one.parsed, *one.files) if path not in paths]:
                one.parsed.pop(path, None)
                one.files.pop(path, None)
                one.same.pop(path, None)
            one.removed |= gone
            if gone:
                self._condition.notify_all()

    def not_fetched(self, troubles: Mapping[str, str]) -> None:
        """Bundles that cannot be fetched now, and why."""
        with self._condition:
            self._not_fetched = dict(troubles)

    def take_reparse(self) -> set[tuple[str, str]]:
        """Files (bundle, path) whose result has to be made again, because the plane does not hold it."""
        with self._condition:
            taken, self._reparse = self._reparse, set()
            return taken

    # ---- claiming

    def claim(self) -> dags.Claim:
        """Everything there is to claim."""
        with self._condition:
            return dags.Claim(
                instance=self.instance,
                bundles=tuple(one.claim for one in self._bundles.values()),
                kept=tuple(sorted(self._broken)),
                key=self._key,
            )

    def recovered(self, claim: dags.BundleClaim) -> None:
        """A bundle that could not be made can be now: it is claimed with the next claim."""
        with self._condition:
            self._broken.discard(claim.name)
            self._bundles.setdefault(claim.name, _Bundle(claim))

    def broken(self) -> list[str]:
        """Bundles of the configuration that cannot be made."""
        with self._condition:
            return sorted(self._broken)

    def claimed(self, answer: dags.Claimed) -> None:
        """Take over what the plane says. Files it does not hold as last parsed here are to be parsed again."""
        with self._condition:
            for granted in answer.bundles:
                one = self._bundles.get(granted.name)
                if one is None:
                    continue
                one.role, one.mark, one.refusal = granted.role, granted.mark, granted.refusal
                one.another_key = granted.another_key
                one.refused.clear()
                if granted.role is not Role.SPEAKS:
                    one.refusals.clear()
                    one.forget_waiting()
                    one.held.clear()
                    one.parsed.clear()
                    continue
                if one.refreshed_at is None:
                    one.version, one.refreshed_at = granted.version, granted.refreshed_at
                one.held = {file.path: (file.content, file.version) for file in granted.files}
                for path, content in one.parsed.items():
                    held = one.held.get(path)
                    if path not in one.files and (held is None or held[0] != content):
                        self._reparse.add((granted.name, path))
            self._condition.notify_all()

    # ---- reporting

    def next_report(self, timeout: float | None) -> dags.Report | None:
        """The next report to send; None after `timeout` seconds without one. Give it back to `reported` or `failed`."""
        with self._condition:
            self._condition.wait_for(self._something_waits, timeout)
            for name, one in self._bundles.items():
                if one.role is Role.SPEAKS and one.waits():
                    return self._take(name, one)
            return None

    def reported(self, report: dags.Report, answer: dags.Reported) -> None:
        """The plane's answer to a report."""
        with self._condition:
            one = self._bundles[report.bundle]
            one.in_flight = False
            if answer.before == one.mark:
                one.mark = answer.mark  # else the next watch finds the marks differ, and has us claim again
            stored = set(answer.stored)
            contents = _contents(report)
            for path, content in contents.items():
                if path in stored:
                    one.held[path] = (content, report.version)
            for path in report.removed:
                if path in stored:
                    one.held.pop(path, None)
            for path in contents:
                one.refusals.pop(path, None)
            for refused in answer.refused:
                one.refusals[refused.path] = refused
                if refused.path not in stored and refused.path in contents:
                    one.refused[refused.path] = contents[refused.path]
            for path in answer.resend:
                one.held.pop(path, None)
                one.refused.pop(path, None)
                if path not in one.files:
                    self._reparse.add((report.bundle, path))

    def failed(self, report: dags.Report, *, again: bool, refusal: Refusal | None = None) -> None:
        """The report did not get through. `again`: what is not superseded waits to be sent once more, else `refusal`
        is why not."""
        with self._condition:
            one = self._bundles[report.bundle]
            one.in_flight = False
            if not again or one.role is not Role.SPEAKS:
                for path, content in _contents(report).items():
                    if not again and one.parsed.get(path) == content:
                        one.refused[path] = content
                        if refusal is not None:
                            one.refusals[path] = dags.FileRefused(path=path, refusal=refusal)
                return
            for result in report.files:
                if one.parsed.get(result.path) == result.content and result.path not in one.files:
                    one.files[result.path] = Sized(result, len(result.model_dump_json()))
            for same in report.same:
                if one.parsed.get(same.path) == same.content and same.path not in one.files:
                    one.same[same.path] = same.content
            one.removed |= {path for path in report.removed if path not in one.parsed}
            one.refreshed = one.refreshed or report.refreshed_at

    def give_up(self, bundle: str) -> None:
        """The plane says this one does not speak for the bundle (any more)."""
        with self._condition:
            one = self._bundles[bundle]
            one.in_flight = False
            one.role = None
            one.forget_waiting()

    def one_at_a_time(self) -> None:
        """From now on every file travels in a report of its own."""
        with self._condition:
            self._batch_files = 1

    def wake(self) -> None:
        """Wake the caller of `next_report`, which looks again and notices that it should stop."""
        with self._condition:
            self._condition.notify_all()

    # ---- watching

    def marks(self) -> dict[str, str]:
        """What `Watch.marks` is to carry."""
        with self._condition:
            return {
                name: one.mark if one.role is Role.SPEAKS else ""
                for name, one in self._bundles.items()
                if one.role in (Role.SPEAKS, Role.STANDS_BY)
            }

    def believes(self, marks: dict[str, str], named: Iterable[str]) -> bool:
        """True when `named` bundles differ from `marks` only because of a report of ours that was under way."""
        with self._condition:
            for name in named:
                one = self._bundles.get(name)
                if one is None or (one.mark == marks.get(name) and not one.in_flight):
                    return False
                if one.role is not Role.SPEAKS:
                    return False
            return True

    def roles(self) -> dict[str, Role | None]:
        """What this one is to each of its bundles; None while it is not known."""
        with self._condition:
            return {name: one.role for name, one in self._bundles.items()}

    def findings(self) -> tuple[Finding, ...]:
        """Findings for the owner of the site: what the plane refuses."""
        with self._condition:
            found = [
                _finding(
                    f"bundle:{name}", f"bundle {name} cannot be fetched: {why}", bundle_fetches.remedy(why)
                )
                for name, why in sorted(self._not_fetched.items())
            ]
            found += [
                _finding(f"bundle:{name}", one.refusal.message, one.refusal.remedy)
                for name, one in sorted(self._bundles.items())
                if one.refusal is not None
            ]
            found += [
                _finding(
                    f"site_key:{name}", f"{_TWO_KEYS} (agent {one.another_key}, bundle {name})", _ONE_KEY
                )
                for name, one in sorted(self._bundles.items())
                if one.another_key
            ]
            refused = [
                (name, each) for name, one in sorted(self._bundles.items()) for each in one.refusals.values()
            ]
        for name, each in refused[:MOST_FINDINGS]:
            what = f"Dag {each.dag_id!r} of {each.path}" if each.dag_id else each.path
            said = f"The plane refused {what} in bundle {name}: {each.refusal.message}"
            found.append(_finding(f"dags:{name}", said, each.refusal.remedy))
        if (more := len(refused) - MOST_FINDINGS) > 0:
            found.append(_finding("dags", f"{more} more files are refused", "See the dag processor's log"))
        found += [
            _finding(f"bundle:{name}", f"bundle {name} cannot be made", "See the dag processor's log")
            for name in self.broken()
        ]
        return tuple(found)

    def waiting(self) -> int:
        """How many files wait to be sent."""
        with self._condition:
            return sum(len(b.files) + len(b.same) + len(b.removed) for b in self._bundles.values())

    def in_flight(self) -> bool:
        """True while a report is under way."""
        with self._condition:
            return any(one.in_flight for one in self._bundles.values())

    def unknown(self) -> bool:
        """True when the role for some bundle is not known: it has to be claimed."""
        with self._condition:
            return any(one.role is None for one in self._bundles.values())

    # ---- inside, with the lock held

    def _something_waits(self) -> bool:
        return any(one.role is Role.SPEAKS and one.waits() for one in self._bundles.values())

    def _take(self, name: str, one: _Bundle) -> dags.Report:
        files: list[dags.FileResult] = []
        size = 0
        for path in list(one.files):
            sized = one.files[path]
            if files and (size + sized.size > dags.BATCH_BYTES or len(files) >= self._batch_files):
                break
            files.append(sized.result)
            size += sized.size
            del one.files[path]
        same = [
            dags.FileSame(path=path, content=one.same[path])
            for path in list(one.same)[: dags.FILES_IN_REPORT]
        ]
        for entry in same:
            del one.same[entry.path]
        removed = sorted(one.removed)[: dags.FILES_IN_REPORT]
        one.removed -= set(removed)
        one.refreshed, refreshed = None, one.refreshed_at
        one.refresh_reported_at = refreshed
        one.in_flight = True
        return dags.Report(
            instance=self.instance,
            bundle=name,
            version=one.version,
            version_data=one.version_data,
            refreshed_at=refreshed,
            files=tuple(files),
            same=tuple(same),
            removed=tuple(removed),
        )


def _finding(check: str, message: str, remedy: str) -> Finding:
    return Finding(check=check[:100], message=message[:2000], remedy=remedy[:2000])


def _contents(report: dags.Report) -> dict[str, str]:
    found = {file.path: file.content for file in report.files}
    return found | {file.path: file.content for file in report.same}


def _within(path: str, paths: Collection[str]) -> bool:
    """True when `path` is one of `paths`, or lies inside one of them (a member of a zip archive)."""
    while path:
        if path in paths:
            return True
        path = path.rpartition("/")[0]
    return False
