"""From an identity provider's claims to teams, and whether a person may come in at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tradewind_protocol.platform import NAME


class GroupsUnavailable(ValueError):
    """The claims have no list of groups where the settings look for one."""


@dataclass(frozen=True)
class GroupRules:
    """How the groups of a claim become teams."""

    claim: str = ""
    """Dots lead into objects: `realm_access.roles`. Empty: no groups, and no teams."""
    filter: str = ""
    """A regular expression; groups that it matches nowhere are left out."""
    mapping: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The teams of a group. A group may have several, and a team several groups."""
    create_missing: bool = False
    """Make a team of its own for each group that is not mapped."""
    allowed: tuple[str, ...] = ()
    """Only members of one of these groups come in. Empty: everybody whom the identity provider lets in."""


def groups_in(claims: Mapping[str, Any], rules: GroupRules) -> tuple[str, ...]:
    """The groups of a person, in order. Raises GroupsUnavailable when a provider sent a reference instead of them."""
    if not rules.claim:
        return ()
    referred = claims.get("_claim_names")
    if isinstance(referred, dict) and rules.claim in referred:
        raise GroupsUnavailable(
            f"the person has so many groups that the identity provider sent a reference instead of {rules.claim!r}; "
            "let it send only the groups of this application, or use roles of the application"
        )
    found: Any = claims.get(rules.claim)
    if found is None:
        found = claims
        for part in rules.claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    if found is None:
        return ()
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise GroupsUnavailable(f"the claim {rules.claim!r} is not a list of names")
    return filtered(names, rules)


def filtered(groups: Iterable[str], rules: GroupRules) -> tuple[str, ...]:
    """The groups that the filter does not leave out, each once and in order."""
    pattern = re.compile(rules.filter)
    return tuple(dict.fromkeys(one for one in groups if pattern.search(one)))


def may_come_in(groups: Iterable[str], rules: GroupRules) -> bool:
    return not rules.allowed or not set(rules.allowed).isdisjoint(groups)


def teams_of(groups: Iterable[str], rules: GroupRules) -> dict[str, bool]:
    """The teams that the groups stand for, by name; True for one that the mapping names.

    A team that has only the name of a group is joined when it is the identity provider's: else everybody who may name a
    group there could choose a team here.
    """
    found: dict[str, bool] = {}
    for group in groups:
        mapped = rules.mapping.get(group)
        if mapped is not None:
            found.update(dict.fromkeys(mapped, True))
        elif rules.create_missing and (name := name_from(group)):
            found.setdefault(name, False)
    return found


def sharing_a_team(groups: Iterable[str], rules: GroupRules) -> dict[str, list[str]]:
    """The teams that several of the groups would be, only because their names become the same one. One name may come twice."""
    pattern = re.compile(rules.filter)
    found: dict[str, list[str]] = {}
    for group in groups if rules.create_missing else ():
        if pattern.search(group) and group not in rules.mapping and (name := name_from(group)):
            found.setdefault(name, []).append(group)
    return {name: those for name, those in found.items() if len(those) > 1}


def name_from(text: str) -> str:
    """The name that a group or a user name becomes: lower-case letters, digits and hyphens. Empty: none is left."""
    made = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-")
    return made if re.fullmatch(NAME, made) else ""
