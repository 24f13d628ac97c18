"""What the rules say about what work reads of the plane."""

from __future__ import annotations

from collections.abc import Iterator

from tradewind_agent.rules.decisions import RuleRefusal, Verdict
from tradewind_agent.rules.schema import OwnerRules
from tradewind_protocol.boundary import OwnRun, Read
from tradewind_protocol.patterns import fits


def read_refusal(rules: OwnerRules, read: Read, own: OwnRun | None) -> RuleRefusal | None:
    """The first rule that refuses the read; None when it may be. `own` is the run of the work that reads."""
    return next((one.refusal for one in read_verdicts(rules, read, own) if one.refusal is not None), None)


def read_verdicts(rules: OwnerRules, read: Read, own: OwnRun | None) -> Iterator[Verdict]:
    """What each rule says that applies to the read."""
    scoped = [one for one in rules.rule if own is not None and fits(own.dag_id, one.dags)]
    for prefix, limits in [("", rules), *((f"{one.name}.", one) for one in scoped)]:
        patterns = getattr(limits, read.kind.value)
        if patterns is None:
            continue
        rule = prefix + read.kind.value
        allowed = fits(read.name, patterns)
        yield Verdict(rule, None if allowed else RuleRefusal(rule, f"it does not allow {read.what}"))
