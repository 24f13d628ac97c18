"""What the rules say about one piece of work, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from tradewind_agent.rules.schema import Limits, OwnerRules
from tradewind_agent.rules.signatures import why_not_signed
from tradewind_protocol import run_signatures
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary import StartedBy
from tradewind_protocol.hosts import TaskRule
from tradewind_protocol.patterns import fits
from tradewind_protocol.polling import Verb

BY_TASK: Final = "operator_triggered"
"""How Airflow names the kind of a run that a task has started."""


@dataclass(frozen=True)
class Work:
    """What is known of a piece of work. None: not known, and then no rule about it bites."""

    kind: WorkKind = WorkKind.TASK
    queue: str | None = None
    bundle: str | None = None
    dag: str | None = None
    task: str | None = None
    operator: str | None = None  # class of the task
    pool: str | None = None
    trigger: str | None = None  # class of a trigger
    callback: str | None = None  # dotted name
    run_type: str | None = None  # as Airflow names it: "manual", "scheduled" …
    user: str | None = None  # that started the run; "" for a run that was started by hand by an unknown user
    starts: bool = True  # False: it goes on with what has started, and hours are not for it
    conf: Mapping[str, Any] | None = field(default=None, repr=False)  # parameters of the run
    run: str | None = None  # its id
    deployment: str = ""  # whose plane it is
    started: StartedBy | None = None  # the task of this site that has started the run, by the site's seal

    def facts(self) -> dict[str, str]:
        """What is known, without the values of parameters: a line of the ledger may hold it."""
        known = {
            name: value
            for name, value in asdict(self).items()
            if isinstance(value, str) and value and name not in ("run", "deployment")
        }
        return {**known, "kind": self.kind.value}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Work:
        """What `facts` gave. Names it does not know are left out."""
        known: dict[str, Any] = {
            name: str(value)
            for name, value in facts.items()
            if name in cls.__dataclass_fields__ and name not in ("kind", "conf", "starts", "started")
        }
        return cls(kind=WorkKind(facts.get("kind", WorkKind.TASK)), **known)


@dataclass(frozen=True)
class RuleRefusal:
    """Why a rule refuses work."""

    rule: str  # its name: "dags", "users", "params.sales_*", "finance.hours"
    why: str  # "Dag 'x' is not among those it allows"

    def __str__(self) -> str:
        return f"the site's rule {self.rule!r} refuses it: {self.why}"


@dataclass(frozen=True)
class Verdict:
    """What one rule says."""

    rule: str
    refusal: RuleRefusal | None


def refusal(rules: OwnerRules, work: Work, at: datetime) -> RuleRefusal | None:
    """The first rule that refuses the work at that time; None when it may run. Rules about what is not known say nothing."""
    return next((one.refusal for one in verdicts(rules, work, at) if one.refusal is not None), None)


def verdicts(rules: OwnerRules, work: Work, at: datetime) -> Iterator[Verdict]:
    """What each rule says that applies to the work."""
    if work.kind is WorkKind.CONNECTION_TEST and not rules.connection_tests:
        yield _refused("connection_tests", "connections are not tested from this site")
    yield from _limits("", rules, work, at)
    if work.dag is not None:
        for scoped in rules.rule:
            if fits(work.dag, scoped.dags):
                yield from _limits(f"{scoped.name}.", scoped, work, at)
        yield from _params(rules, work.dag, work.conf)


def request_verdicts(
    rules: OwnerRules, *, command: Verb | None = None, log: bool = False
) -> Iterator[Verdict]:
    """What the rules say about a command of the plane, and about a user who opens a log."""
    if command is not None and rules.commands is not None:
        if rules.allows_command(command):
            yield Verdict("commands", None)
        else:
            yield _refused("commands", f"it does not name {command.value!r}")
    if log:
        if rules.live_logs:
            yield Verdict("live_logs", None)
        else:
            yield _refused("live_logs", "no log is read from the plane")


def task_rules(rules: OwnerRules, dag: str | None) -> tuple[TaskRule, ...]:
    """The rules about a task of that Dag that are judged in its own process, where the Dag file has been read."""
    scoped = [(f"{one.name}.", one) for one in rules.rule if dag is not None and fits(dag, one.dags)]
    return tuple(
        TaskRule(rule=prefix + about, about=about, patterns=patterns)
        for prefix, limits in [("", rules), *scoped]
        for about, patterns in (("operators", limits.operators), ("pools", limits.pools))
        if patterns is not None
    )


_LISTS: Final = (
    ("queues", "queue", "queue"),
    ("bundles", "bundle", "bundle"),
    ("dags", "dag", "Dag"),
    ("operators", "operator", "operator"),
    ("pools", "pool", "pool"),
    ("triggers", "trigger", "trigger"),
    ("callbacks", "callback", "callback"),
)


def _limits(prefix: str, limits: Limits, work: Work, at: datetime) -> Iterator[Verdict]:
    for rule, attribute, noun in _LISTS:
        patterns, name = getattr(limits, rule), getattr(work, attribute)
        if patterns is None or name is None:
            continue
        if fits(name, patterns):
            yield Verdict(prefix + rule, None)
        else:
            yield _refused(prefix + rule, f"{noun} {name!r} is not among those it allows")
    if limits.users is not None and work.run_type is not None:
        yield _user(prefix + "users", limits.users, work)
    if limits.run_keys is not None and None not in (work.run_type, work.conf):
        yield _signature(prefix + "run_keys", limits, work, at)
    if limits.windows is not None and work.starts:
        local = at.astimezone(limits.zone)
        if any(window.hold(local) for window in limits.windows):
            yield Verdict(prefix + "hours", None)
        else:
            hours = ", ".join(limits.hours or ()) or "none"
            yield _refused(
                prefix + "hours",
                f"it is {local:%a %H:%M} in {limits.timezone}, and work starts in these hours: {hours}",
            )


def _user(rule: str, patterns: tuple[str, ...], work: Work) -> Verdict:
    if not work.user and work.run_type != "manual":
        return Verdict(rule, None)
    if work.user and fits(work.user, patterns):
        return Verdict(rule, None)
    who = f"user {work.user!r} is" if work.user else "the run was started by hand by an unknown user, who is"
    return _refused(rule, f"{who} not among those who may start runs")


def _signature(rule: str, limits: Limits, work: Work, at: datetime) -> Verdict:
    """A run without parameters that no user has started needs no signature: there is nothing of a person's in it. Nor does one that
    a task has started which may start runs. A task that resumes gets the parameters from the plane anew, and one that starts from a
    trigger for the first time."""
    conf = work.conf or {}
    user = work.user and work.run_type != BY_TASK  # which has the name of the user of the run before
    if not conf and not user and work.run_type != "manual":
        return Verdict(rule, None)
    moment = at if work.starts else None
    why = _why_no_starter(limits, work.started, moment) if work.started is not None else ""
    if work.started is None or (why and run_signatures.KEY in conf):
        why = why_not_signed(
            limits.run_keys or (),
            conf,
            deployment=work.deployment,
            dag_id=work.dag or "",
            run_id=work.run or "",
            at=moment,
        )
    return _refused(rule, why) if why else Verdict(rule, None)


def _why_no_starter(limits: Limits, started: StartedBy, at: datetime | None) -> str:
    if not fits(started.dag_id, limits.run_starters or ()):
        return f"a task of Dag {started.dag_id!r} has started the run, which is not among the Dags whose tasks may (run_starters)"
    hours = limits.run_starters_hours
    if at is not None and at.timestamp() - started.at > hours * 3600:
        return f"a task of Dag {started.dag_id!r} has started the run more than {hours:g} hours ago (run_starters_hours)"
    return ""


def _params(rules: OwnerRules, dag: str, conf: Mapping[str, Any] | None) -> Iterator[Verdict]:
    if conf is None:
        return
    for pattern, check in rules.checks:
        if not fits(dag, (pattern,)):
            continue
        name = f"params.{pattern}"
        try:
            check(run_signatures.without(conf))
        except Exception as error:
            # Only where and which rule of the schema: a value may be nobody's to read in a log.
            yield _refused(name, f"the run's parameters do not fit its schema: {_misfit(error)}")
        else:
            yield Verdict(name, None)


def _misfit(error: Exception) -> str:
    path, rule = getattr(error, "path", None), getattr(error, "rule", None)
    if path is None:
        return type(error).__name__
    where = ".".join(str(part) for part in path[1:]) or "the parameters"
    return f"{where!s} fails {rule!r}"[:300]


def _refused(rule: str, why: str) -> Verdict:
    return Verdict(rule, RuleRefusal(rule, why))
