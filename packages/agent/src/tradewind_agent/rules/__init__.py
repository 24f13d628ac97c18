"""The rules of the site's owner: what the plane may have done here at all. Pure functions of their arguments: no clock, no
file, no logging."""

from tradewind_agent.rules.decisions import (
    BY_TASK,
    RuleRefusal,
    Verdict,
    Work,
    refusal,
    request_verdicts,
    task_rules,
    verdicts,
)
from tradewind_agent.rules.reads import read_refusal, read_verdicts
from tradewind_agent.rules.schema import Limits, OwnerRules, RulesWrong, ScopedLimits, parse

__all__ = [
    "BY_TASK",
    "Limits",
    "OwnerRules",
    "RuleRefusal",
    "RulesWrong",
    "ScopedLimits",
    "Verdict",
    "Work",
    "parse",
    "read_refusal",
    "read_verdicts",
    "refusal",
    "request_verdicts",
    "task_rules",
    "verdicts",
]
