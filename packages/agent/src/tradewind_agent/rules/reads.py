"""What the rules say about what work reads of the plane."""

from __future__ import annotations

from tradewind_agent.rules.decisions import RuleRefusal
from tradewind_agent.rules.schema import OwnerRules
from tradewind_protocol.boundary import OwnRun, Read
from tradewind_protocol.patterns import fits


def read_refusal(rules: OwnerRules, read: Read, own: OwnRun | None) -> RuleRefusal | None:
    """The first rule that refuses the read; None when it may be. `own` is the run of the work that reads."""
    scoped = [one for one in rules.rule if own is not None and fits(own.dag_id, one.dags)]
    for prefix, limits in [("", rules), *((f"{one.name}.", one) for one in scoped)]:
        patterns = getattr(limits, read.kind.value)
        if patterns is not None and not fits(read.name, patterns):
            return RuleRefusal(prefix + read.kind.value, f"it does not allow {read.what}")
    return None
