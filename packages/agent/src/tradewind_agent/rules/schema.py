"""The rules as the owner writes them, in TOML. A name that is none of a rule is an error: a rule that was misspelt would
forbid nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tradewind_agent.rules.hours import Hours
from tradewind_agent.rules.signatures import check_key
from tradewind_protocol.polling import Verb

Patterns = tuple[Annotated[str, Field(min_length=1, max_length=500)], ...]

MOST_OF_A_TASK: Final = 20_000
"""Characters of the patterns that each task's process is told."""

_ALWAYS: Final = frozenset({Verb.STREAM_LOG})  # has a rule of its own: live_logs


class RulesWrong(ValueError):
    """The rules cannot be read. The text says where and why."""


class Limits(BaseModel):
    """What work has to fit. A list that is not given lets everything pass; an empty one nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    queues: Patterns | None = Field(default=None, description="Queues that work may come from.")
    bundles: Patterns | None = Field(default=None, description="Bundles whose Dags may run.")
    dags: Patterns | None = Field(default=None, description="Dags that may run.")
    operators: Patterns | None = Field(
        default=None,
        description="Classes that tasks may be of, such as `airflow.providers.standard.operators.*`. Of a class that the Dag "
        "file itself defines, the name is without module.",
    )
    pools: Patterns | None = Field(default=None, description="Pools that tasks may name.")
    triggers: Patterns | None = Field(default=None, description="Classes of triggers that may run.")
    callbacks: Patterns | None = Field(
        default=None, description="Functions and notifiers that deadlines may call."
    )
    connections: Patterns | None = Field(
        default=None, description="Connections of the plane that may be read, where `connections` is open."
    )
    variables: Patterns | None = Field(
        default=None,
        description="Variables of the plane that may be read and written, where `variables` is open.",
    )
    xcoms: Patterns | None = Field(
        default=None,
        description="Dags whose XComs a task may read and write beside those of its own run. An empty list: its own run only.",
    )
    states: Patterns | None = Field(
        default=None,
        description="Dags of which a task may read states, counts and runs beside its own Dag, as `ExternalTaskSensor` does.",
    )
    users: Patterns | None = Field(
        default=None,
        description="Users of the plane who may start runs by hand. Scheduled runs, and those of assets and of tasks, have no "
        "user and pass.",
    )
    run_keys: Patterns | None = Field(
        default=None,
        description="Ed25519 keys of OpenSSH (`ssh-ed25519 AAAA… ada`), one of which has to have signed each run that has parameters or "
        "that a user starts (`tradewind runs start --sign`).",
    )
    run_starters: Patterns | None = Field(
        default=None,
        description="Dags whose tasks may start runs with parameters without such a signature, as `TriggerDagRunOperator` does. The key ring "
        "of the site proves which Dag has started a run (docs/how-to/rules.md). Default: none.",
    )
    run_starters_hours: float = Field(
        default=24.0, gt=0, le=87_600, description="Hours for which tasks of such a run may start."
    )
    hours: tuple[str, ...] | None = Field(
        default=None,
        description="When work may start: `Mon-Fri 06:00-20:00`, `22:00-04:00`, in `timezone`.",
    )
    timezone: str = Field(default="UTC", description="Of `hours`, such as `Europe/Berlin`.")

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for one in value or ():
            Hours.parse(one)
        return value

    @field_validator("run_keys")
    @classmethod
    def _are_keys(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for one in value or ():
            check_key(one)
        return value

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"this machine knows no time zone {value!r}") from None
        return value

    @model_validator(mode="after")
    def _starters_have_a_rule(self) -> Limits:
        if self.run_starters is not None and self.run_keys is None:
            raise ValueError("run_starters without run_keys: every run may start without a signature")
        return self

    @cached_property
    def windows(self) -> tuple[Hours, ...] | None:
        """`hours`, read."""
        return None if self.hours is None else tuple(map(Hours.parse, self.hours))

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class ScopedLimits(Limits):
    """Further limits for some Dags. All that fit a Dag hold together with those for every Dag."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,60}$", description="Its name in refusals.")
    dags: Patterns = Field(min_length=1, description="Dags that the limits are for.")


class OwnerRules(Limits):
    """All rules of one site. Without any, everything is allowed that the plane may ask for."""

    connection_tests: bool = Field(
        default=True, description="Whether connections may be tested from here for users of the plane."
    )
    live_logs: bool = Field(
        default=True, description="Whether logs are sent to users who open them in Airflow's UI."
    )
    commands: tuple[Verb, ...] | None = Field(
        default=None,
        description="What users of the plane may ask of the agent: `stop_attempt`, `drain`, `cordon`, `resume`, `set_slots`.",
    )
    params: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="JSON schemas (draft 7) of run parameters (`conf`), each for the Dags that its key fits.",
    )
    rule: tuple[ScopedLimits, ...] = Field(default=(), description="Further limits for some Dags.")

    @model_validator(mode="after")
    def _reach_a_tasks_process(self) -> OwnerRules:
        texts = (
            one for limits in (self, *self.rule) for one in ((limits.operators or ()) + (limits.pools or ()))
        )
        if sum(map(len, texts)) > MOST_OF_A_TASK:
            raise ValueError(
                f"operators and pools have more than {MOST_OF_A_TASK} characters together; use patterns"
            )
        return self

    @field_validator("params")
    @classmethod
    def _are_schemas(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for dags, schema in value.items():
            try:
                compiled(schema)
            except Exception as error:  # whatever the compiler stumbles over is what is wrong with the schema
                raise ValueError(f"the schema for {dags!r} is no JSON schema: {error}") from None
        return value

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> OwnerRules:
        names = [one.name for one in self.rule]
        if len(set(names)) != len(names):
            raise ValueError("two rules have the same name")
        return self

    @cached_property
    def checks(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        """Pattern of Dags → what raises for parameters that do not fit."""
        return tuple((dags, compiled(schema)) for dags, schema in self.params.items())

    def allows_command(self, verb: Verb) -> bool:
        return self.commands is None or verb in self.commands or verb in _ALWAYS


def compiled(schema: dict[str, Any]) -> Callable[[Any], Any]:
    """A function that raises for what does not fit. Raises for what is no schema; never fetches one from elsewhere."""
    import fastjsonschema  # not before it is needed: most sites have no such rule

    if "$ref" in json.dumps(schema) and not _refers_to_itself(schema):
        raise ValueError("a $ref may only lead to a place of the same schema (#/…)")
    check: Callable[[Any], Any] = fastjsonschema.compile(schema, use_default=False)
    return check


def parse(read: dict[str, Any]) -> OwnerRules:
    """The rules of a TOML document. Raises RulesWrong."""
    try:
        return OwnerRules.model_validate(read)
    except ValidationError as error:
        raise RulesWrong("; ".join(_sentence(each) for each in error.errors(include_url=False))) from None


def _refers_to_itself(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_refers_to_itself, value))
    if not isinstance(value, dict):
        return True
    reference = value.get("$ref", "#")
    return str(reference).startswith("#") and all(map(_refers_to_itself, value.values()))


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is no rule {where!r}"
    what = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
