"""The `[tradewind]` section, read once into a frozen object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from tradewind_protocol.networks import Network
from tradewind_protocol.sessions import Cadence, Policy
from tradewind_provider.domain import addresses
from tradewind_provider.domain.addresses import AddressGate
from tradewind_provider.options import ALL, SHORTCUTS

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class SettingsError(ValueError):
    """An option of `[tradewind]` cannot be used. Names the option, the value and what would do."""


@dataclass(frozen=True)
class OnAgentLoss:
    """How many seconds running work outlives its agent's silence, beyond the moment the agent counts as lost."""

    default: float = 0.0
    queues: Mapping[str, float] = field(default_factory=dict)

    def wait(self, queue: str) -> float:
        return self.queues.get(queue, self.default)


@dataclass(frozen=True)
class Policies:
    """The least strict data boundary that sites may ask for."""

    default: Policy = Policy.STRICT
    sites: Mapping[str, Policy] = field(default_factory=dict)

    def of(self, site: str) -> Policy:
        return self.sites.get(site, self.default)


@dataclass(frozen=True)
class Reads:
    """Which XComs and states a task may read. `own_only`: XComs of its own run and states of its own Dag, and those of `shared` Dags."""

    own_only: bool = False
    shared: tuple[str, ...] = ()


OF_ITS_SITE: Final = Reads()

STRICT_FOR_ALL: Final = Policies()


@dataclass(frozen=True)
class SessionLimits:
    """How many sessions may be open at once."""

    per_token: int = 2_000
    per_site: int = 5_000


DEFAULT_LIMITS: Final = SessionLimits()


@dataclass(frozen=True)
class PlatformLink:
    """The platform that manages this Deployment."""

    url: str
    deployment: UUID
    credential_file: Path
    ca_file: Path | None
    access_file: Path | None  # None: in AIRFLOW_HOME
    access_max_age: float


@dataclass(frozen=True)
class Settings:
    """Everything a Deployment decides about remote execution. Durations in seconds."""

    deployment: str = "default"
    parallelism: int = 100_000
    on_agent_loss: OnAgentLoss = OnAgentLoss()
    cadence: Cadence = Cadence()
    session: float = 3600.0
    sweep: float = 5.0
    canary_interval: float = 0.0  # seconds between two canaries of a queue; 0: none
    offers_per_answer: int = 50
    tokens_limit: int = 50
    session_limits: SessionLimits = DEFAULT_LIMITS
    policies: Policies = STRICT_FOR_ALL
    reads: Reads = OF_ITS_SITE
    live_log_bytes: int = 32 * 1024 * 1024
    live_log_seconds: float = 10.0
    log_link: str = ""
    history_days: int = 14
    events_days: int = 365
    gate: AddressGate = AddressGate()
    agent_hosts: tuple[str, ...] = ()
    agent_url: str = ""  # empty: not known here
    access_log: bool = False
    failures_per_minute: float = 60.0
    shortcuts: frozenset[str] | None = None  # None: all of them
    platform: PlatformLink | None = None  # None: this plane is managed by itself


def parse(options: Mapping[str, str], *, instance_name: str = "") -> Settings:
    """Settings from text. Raises SettingsError naming the first option that cannot be used."""
    read = _Reader(options)
    poll = read.number("poll_seconds")
    lost_after = poll * read.number("missed_beats")
    return Settings(
        deployment=options["deployment"].strip() or instance_name.strip() or "default",
        parallelism=int(read.number("parallelism")),
        on_agent_loss=parse_on_agent_loss(options["on_agent_loss"]),
        cadence=Cadence(
            poll=poll,
            offer=read.number("offer_seconds"),
            lost_after=lost_after,
            grace=read.number("grace_seconds"),
            # A plane that comes back gives an agent up after `lost_after`: it must have asked again before, and more than
            # once, however long it was waiting between two tries.
            retry_most=min(Cadence().retry_most, lost_after / 5),
            largest_body=int(read.number("largest_body_bytes")),
        ),
        session=read.number("session_seconds"),
        sweep=read.number("sweep_seconds"),
        canary_interval=read.number("canary_interval_seconds"),
        offers_per_answer=int(read.number("offers_per_answer")),
        tokens_limit=int(read.number("tokens_limit")),
        session_limits=SessionLimits(
            per_token=int(read.number("sessions_per_token")), per_site=int(read.number("sessions_per_site"))
        ),
        policies=parse_policies(options["policy"]),
        reads=parse_reads(options["reads"]),
        live_log_bytes=int(read.number("live_log_bytes")),
        live_log_seconds=read.number("live_log_seconds"),
        log_link=_log_link(options["log_link"]),
        history_days=int(read.number("history_days")),
        events_days=int(read.number("events_days")),
        gate=AddressGate(
            read.networks("allowed_addresses"),
            (*read.networks("trusted_proxies"), *read.networks("endpoint_gateways")),
            read.networks("endpoint_gateways"),
        ),
        agent_hosts=tuple(one.strip().lower() for one in options["agent_hosts"].split(",") if one.strip()),
        agent_url=_address("agent_url", options["agent_url"]),
        access_log=read.switch("access_log"),
        failures_per_minute=read.number("failures_per_minute"),
        shortcuts=read.choice("shortcuts"),
        platform=_platform(options, read),
    )


def _platform(options: Mapping[str, str], read: _Reader) -> PlatformLink | None:
    """The platform, when one manages this plane. Raises SettingsError for a part that is missing or wrong."""
    max_age = read.number("access_max_age_seconds")
    managed = options["managed_by"].strip()
    if managed not in ("", "platform"):
        raise SettingsError(f"[tradewind] managed_by is {managed!r}: it is 'platform' or empty")
    if not managed:
        return None
    for name in ("platform_url", "deployment_id", "platform_credential_file"):
        if not options[name].strip():
            raise SettingsError(f"[tradewind] {name} is empty, and managed_by is 'platform'")
    try:
        deployment = UUID(options["deployment_id"].strip())
    except ValueError:
        raise SettingsError(
            f"[tradewind] deployment_id is {options['deployment_id']!r}: it is a UUID"
        ) from None
    return PlatformLink(
        url=_address("platform_url", options["platform_url"]),
        deployment=deployment,
        credential_file=Path(options["platform_credential_file"].strip()),
        ca_file=_path(options["platform_ca_file"]),
        access_file=_path(options["access_file"]),
        access_max_age=max_age,
    )


def _path(text: str) -> Path | None:
    return Path(text.strip()) if text.strip() else None


def _address(name: str, text: str) -> str:
    """Without a slash at the end. Raises SettingsError for what is no address, or has credentials or a query in it."""
    url = text.strip().rstrip("/")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        whole = False
    if not whole or parts.query or parts.fragment or "@" in parts.netloc:
        raise SettingsError(
            f"[tradewind] {name} is {text.strip().rpartition('@')[2]!r}: it is https://<name>[/<path>], without credentials"
        )
    return url


def _log_link(text: str) -> str:
    """Raises SettingsError for a pattern that names something else, or leads a browser elsewhere than to a page."""
    if not text:
        return ""
    known = dict.fromkeys(("dag_id", "run_id", "task_id", "map_index", "try_number", "path"), "x")
    try:
        filled = text.format(**known)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise SettingsError(
            f"[tradewind] log_link has {error}: it may have {', '.join(f'{{{name}}}' for name in known)}"
        ) from None
    if not filled.startswith(("https://", "http://")):
        raise SettingsError("[tradewind] log_link is no address: it begins with https:// or http://")
    return text


def parse_on_agent_loss(text: str) -> OnAgentLoss:
    """`"retry, gpu=wait:30m"` as rules. Raises SettingsError."""
    default, queues = 0.0, {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        queue, equals, rule = part.rpartition("=")
        wait = _wait(rule.strip(), part)
        if equals:
            queues[queue.strip()] = wait
        else:
            default = wait
    return OnAgentLoss(default, queues)


def parse_policies(text: str) -> Policies:
    """`"strict, lab=open"` as rules. Raises SettingsError."""
    default, sites = Policy.STRICT, {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        site, equals, word = part.rpartition("=")
        try:
            policy = Policy(word.strip().lower())
        except ValueError:
            known = ", ".join(one.value for one in Policy)
            raise SettingsError(
                f"[tradewind] policy: {part!r} is none of {known}, optionally after '<site>='"
            ) from None
        if equals:
            sites[site.strip()] = policy
        else:
            default = policy
    return Policies(default, sites)


def parse_reads(text: str) -> Reads:
    """`"own, calendar_*"` as rules. Raises SettingsError."""
    first, *shared = [one.strip() for one in text.split(",")]
    if first not in ("site", "own") or (first == "site" and shared) or not all(shared):
        raise SettingsError(
            f"[tradewind] reads is {text!r}: it is 'site', or 'own', optionally with Dags after it: 'own, calendar_*'"
        )
    return Reads(first == "own", tuple(shared))


def _wait(rule: str, part: str) -> float:
    if rule == "retry":
        return 0.0
    found = re.fullmatch(r"wait:(\d+(?:\.\d+)?)([smhd])", rule)
    if found is None:
        raise SettingsError(
            f"[tradewind] on_agent_loss: {part!r} is neither 'retry' nor 'wait:<number><s|m|h|d>', "
            "optionally after '<queue>='"
        )
    return float(found[1]) * _UNITS[found[2]]


class _Reader:
    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options

    def number(self, name: str) -> float:
        text, least = self._options[name], ALL[name].least or 0.0
        try:
            value = float(text)
        except ValueError:
            raise SettingsError(f"[tradewind] {name}: {text!r} is not a number") from None
        if not value >= least:
            raise SettingsError(f"[tradewind] {name}: {text} is less than {least:g}, the least it can be")
        return value

    def switch(self, name: str) -> bool:
        text = self._options[name].strip().lower()
        if text not in ("true", "false"):
            raise SettingsError(f"[tradewind] {name}: {self._options[name]!r} is neither True nor False")
        return text == "true"

    def choice(self, name: str) -> frozenset[str] | None:
        """The names that are chosen; None for `all`."""
        named = [one.strip().lower() for one in self._options[name].split(",") if one.strip()]
        if named in (["all"], ["none"]):
            return None if named == ["all"] else frozenset()
        known = SHORTCUTS
        if not named or (unknown := sorted(set(named) - set(known))):
            raise SettingsError(
                f"[tradewind] {name}: {', '.join(unknown) if named else 'nothing'} is not one of {', '.join(known)}; "
                "write all, none, or names of these"
            )
        return frozenset(named)

    def networks(self, name: str) -> tuple[Network, ...]:
        try:
            return addresses.networks(self._options[name])
        except ValueError as error:
            raise SettingsError(f"[tradewind] {name}: {error}") from None


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process, read from Airflow's configuration at the first call."""
    from tradewind_provider.airflow import configuration

    return parse(configuration.options(), instance_name=configuration.instance_name())
