"""A driver whose cluster is a record in memory. It may be killed at any point, as a process may."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from tradewind_platform.domain.component_logs import Component
from tradewind_platform.domain.health import Condition, ConditionType, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler.driver import ComponentLog, Document, StepFailed, StepWaits
from tradewind_protocol.errors import Code, Refused


class Killed(BaseException):
    """The process of the reconciler is killed here."""


@dataclass
class FakeCluster:
    """What there is. Making a thing that is there, or ending one that is not, is an error, as it is of a real database."""

    things: dict[str, set[str]] = field(default_factory=dict)  # slug → what it has
    made: list[tuple[str, str]] = field(default_factory=list)
    data: dict[str, int] = field(default_factory=dict)  # slug → the number of the database that was made

    def of(self, slug: str) -> set[str]:
        return self.things.setdefault(slug, set())

    def make(self, slug: str, thing: str) -> None:
        assert thing not in self.of(slug), f"{thing} of {slug} is made twice"
        self.of(slug).add(thing)
        self.made.append((slug, thing))
        if thing == "database":
            self.data[slug] = len(self.made)

    def end(self, slug: str, thing: str) -> None:
        self.of(slug).remove(thing)


def _nothing(point: str) -> None:
    pass


_NEEDS: Final = {
    ConditionType.DATABASE_READY: "database",
    ConditionType.MIGRATED: "tables",
    ConditionType.API_SERVER_READY: "api server",
    ConditionType.SCHEDULER_BEATING: "scheduler",
    ConditionType.ROUTE_SERVED: "route",
}


@cache
def _observed(things: frozenset[str], revision: int) -> Sequence[Condition]:
    """Made once: a driver that does nothing takes no time to be counted as the platform's."""
    return [
        Condition(type, Status.TRUE, observed_revision=revision)
        if thing in things
        else Condition(type, Status.FALSE, "Missing", f"The {thing} is missing.", "Make it.")
        for type, thing in _NEEDS.items()
    ]


@dataclass
class FakeDriver:
    """Keeps the promises of a Driver, as the contract suite says."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    at: Callable[[str], None] = _nothing
    """Called at each point where the process may be killed."""
    failing: dict[str, StepFailed] = field(default_factory=dict)
    backups: dict[str, tuple[str, str]] = field(default_factory=dict)  # id → slug and schema
    schema: dict[str, str] = field(default_factory=dict)  # slug → what the database was migrated to
    given: dict[str, Document] = field(default_factory=dict)  # slug → the document of the last step
    runs: int = 0  # since the last backup
    cleaned: list[tuple[str, str]] = field(default_factory=list)  # slug and the moment of each clean-up
    heads: str = "abc"  # of the code that is deployed
    archives: dict[str, list[str]] = field(default_factory=dict)  # slug → digests that stay
    tasks: dict[str, int] = field(default_factory=dict)  # slug → how many run
    logs: dict[tuple[str, Component], list[str]] = field(default_factory=dict)  # by slug and component

    def steps(self, kind: Kind) -> Sequence[str]:
        running = ("database", "configure", "migrate", "start", "route")
        return {
            Kind.CREATE: running,
            Kind.UPDATE: running,
            Kind.RESTORE: running,
            Kind.DELETE: ("unroute", "stop"),
            Kind.PURGE: ("unroute", "stop", "erase"),
            Kind.HIBERNATE: ("cordon", "wait_for_tasks", "close", "stop"),
            Kind.WAKE: ("configure", "start", "route", "uncordon"),
            Kind.PREFLIGHT: ("look",),
            Kind.BACKUP: ("back_up", "forget_old"),
            Kind.CLEAN: ("clean",),
            Kind.DEPLOY: ("fetch", "check_code", "configure", "start", "route"),
            Kind.UPGRADE: ("look", "close", "stop", "back_up", "configure", "upgrade", "start", "route"),
            Kind.ROLLBACK: ("count", "close", "stop", "bring_back", "configure", "start", "route"),
        }[kind]

    def undo(self, kind: Kind, failed: str) -> Sequence[str]:
        if kind is Kind.UPGRADE and failed != "route":
            return ("stop", "bring_back", "configure_before", "start", "route")
        if kind is Kind.ROLLBACK and failed in ("count", "close"):
            return ("route",)
        if kind is Kind.DEPLOY:
            return (
                ("route",)
                if failed in ("fetch", "check_code")
                else ("stop", "configure_before", "start", "route")
            )
        return {Kind.HIBERNATE: ("start", "route", "uncordon")}.get(kind, ())

    def apply(self, step: str, document: Document) -> Mapping[str, Any] | None:
        self.given[document.slug] = document
        self.at(f"before {step}")
        if step in self.failing:
            raise self.failing[step]
        facts: Mapping[str, Any] | None = getattr(self, f"_{step}")(document)
        self.at(f"after {step}")
        return facts

    def keep(self, document: Document) -> None:
        for thing in ("api server", "scheduler"):
            self._ensure(document, thing)

    def observe(self, document: Document) -> Sequence[Condition]:
        return _observed(frozenset(self.cluster.of(document.slug)), document.revision)

    def last_lines(self, document: Document, component: Component, count: int) -> ComponentLog:
        lines = self.logs.get((document.slug, component))
        if not lines:
            raise Refused(
                Code.NOT_FOUND, f"the log of {component.value} of {document.name!r} has no line yet"
            )
        return ComponentLog(lines[-count:], f"{component.value}.log in memory")

    def write(self, slug: str, component: Component, *lines: str) -> None:
        """As its process does."""
        self.logs.setdefault((slug, component), []).extend(lines)

    def _ensure(self, document: Document, thing: str) -> None:
        if thing not in self.cluster.of(document.slug):
            self.cluster.make(document.slug, thing)
            self.at(f"{thing} made")

    def _remove(self, document: Document, *things: str) -> None:
        for thing in things:
            if thing in self.cluster.of(document.slug):
                self.cluster.end(document.slug, thing)
                self.at(f"{thing} ended")

    def _database(self, document: Document) -> None:
        self._ensure(document, "role")
        self._ensure(document, "database")

    def _configure(self, document: Document) -> None:
        self._remove(
            document, *[one for one in self.cluster.of(document.slug) if one.startswith("revision ")]
        )
        self._ensure(document, f"revision {document.revision}")

    def _migrate(self, document: Document) -> None:
        self._ensure(document, "tables")

    def _start(self, document: Document) -> None:
        self.keep(document)

    def _route(self, document: Document) -> None:
        self._remove(document, "closed route")
        self._ensure(document, "route")

    def _close(self, document: Document) -> None:
        self._remove(document, "route")
        self._ensure(document, "closed route")

    def _cordon(self, document: Document) -> None:
        self._ensure(document, "cordon")

    def _wait_for_tasks(self, document: Document) -> None:
        if self.tasks.get(document.slug):
            raise StepWaits("waits for a task")

    def _uncordon(self, document: Document) -> None:
        self._remove(document, "cordon")

    def _unroute(self, document: Document) -> None:
        self._remove(document, "route", "closed route")

    def _stop(self, document: Document) -> None:
        self._remove(document, "api server", "scheduler")

    def _erase(self, document: Document) -> None:
        self._remove(document, *sorted(self.cluster.of(document.slug)))

    def _look(self, document: Document) -> Mapping[str, Any]:
        return {"preflight": [{"check": "version", "verdict": "ok", "message": "", "remedy": ""}]}

    def _back_up(self, document: Document) -> Mapping[str, Any]:
        assert document.backup is not None and len(b64decode(document.backup.key)) == 32
        version = document.before.get("version", "")
        self.backups[str(document.backup.id)] = (document.slug, self.schema.get(document.slug, ""))
        self.at("backup made")
        facts = {"size": 7, "heads": {"alembic_version": "abc"}, "version": version}
        return {"backup": {**facts, "deploy": document.before.get("deploy") or {}}}

    def _forget_old(self, document: Document) -> None:
        for id, (slug, _) in list(self.backups.items()):
            if slug == document.slug and id not in document.arguments["kept"]:
                del self.backups[id]

    def _fetch(self, document: Document) -> None:
        self.archives[document.slug] = list(document.arguments["archives"])

    def _check_code(self, document: Document) -> Mapping[str, Any]:
        return {"heads": {"alembic_version": self.heads}}

    def _clean(self, document: Document) -> Mapping[str, Any]:
        self.cleaned.append((document.slug, document.arguments["before"]))
        return {"clean": {"rows": {"dag_run": 3, "log": 4}, "skipped": {"dag": "kept"}, "left_out": ["slow"]}}

    def _upgrade(self, document: Document) -> None:
        self.schema[document.slug] = document.spec["version"]

    def _bring_back(self, document: Document) -> None:
        assert document.backup is not None
        if str(document.backup.id) in self.backups:
            self.schema[document.slug] = self.backups[str(document.backup.id)][1]

    def _configure_before(self, document: Document) -> None:
        self._configure(document)

    def _count(self, document: Document) -> Mapping[str, Any]:
        if self.runs and not document.arguments["accept_loss"]:
            raise StepFailed(f"{self.runs} runs will be forgotten", final=True)
        return {"forgotten": self.runs}
