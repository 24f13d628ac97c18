"""Arguments that the plane has to hand back to the site, as only the site can have written them.

A trigger, the method that resumes a deferred task, an asset's watcher and a deadline's callback run at the site when the
plane says so, and the plane keeps their arguments until then. The site seals them: what opens with the site's key was
declared by the site's own Dag file or task. What is sealed is bound to the class, method or function it is for, and to
the place that declared it: the plane cannot have it opened as the arguments of another.

Under strict rules the plane keeps the sealed form only. Where the owner lets arguments leave, they leave beside it: for
people to read, since the site takes back the sealed form and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from tradewind_protocol.boundary.dag_fields import TYPE, VAR

SEALED: Final = "tradewind_sealed"
"""The key of the sealed form in a map of arguments."""

SEALED_BY: Final = "sealed_by"
"""The key, beside `SEALED`, of what a person reads in the UI in place of the value: the site's name and the key's id."""

KEY_ID: Final = r"[A-Za-z0-9][A-Za-z0-9-]{0,31}"
"""How the id of a key of a key ring looks. A sealed form of such a key begins with it and a point."""

_FORM: Final = re.compile(rf"(?:{KEY_ID}\.)?[A-Za-z0-9_-]{{16,}}={{0,2}}")
_BY: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._@:/-]{{0,249}}, key {KEY_ID}")

Place = tuple[str, ...]
"""Which part of which Dag or attempt declared the arguments."""

Seal = Callable[[str], str]
"""Text to what only this site can read. Equal texts give equal results, so that a Dag's version stays the same."""

Unseal = Callable[[str], str | None]
"""Undo `Seal`; None for what was sealed with another key, or not sealed at all. Raises CannotOpen where the form names its
key, with what is wrong with it."""


class CannotOpen(Exception):
    """What was sealed cannot be opened here. Its text is the reason, for people."""


@dataclass(frozen=True)
class Declared:
    """Arguments that this site sealed, opened, with what the plane may add; and the place that declared them."""

    arguments: Any
    place: Place


def has_seal(arguments: Any) -> bool:
    """Whether arguments have a sealed form, alone or beside the readable one, encoded as Airflow does or not."""
    inner = _inner(arguments)
    return (
        isinstance(inner, dict)
        and isinstance(inner.get(SEALED), str)
        and _FORM.fullmatch(inner[SEALED]) is not None
    )


def is_sealed(arguments: Any) -> bool:
    """Whether arguments are in sealed form and no other. Nobody without the key can say more."""
    if not has_seal(arguments):
        return False
    inner = _inner(arguments)
    return set(inner) == {SEALED} or (
        set(inner) == {SEALED, SEALED_BY}
        and isinstance(inner[SEALED_BY], str)
        and _BY.fullmatch(inner[SEALED_BY]) is not None
    )


def form_of(arguments: Any) -> str:
    """The sealed form of arguments that have a seal."""
    return str(_inner(arguments)[SEALED])


def encoded(like: Any, inner: dict[str, Any]) -> Any:
    """`inner` in the encoding that `like` has."""
    return inner if _inner(like) is like else {TYPE: like[TYPE], VAR: inner}


def seal_only(arguments: Any) -> Any:
    """Arguments that have a seal, without their readable form."""
    return encoded(arguments, {SEALED: _inner(arguments)[SEALED]})


def sealed(
    seal: Seal, bound: str, place: Place, arguments: Any, *, readable: bool = False, by: str = ""
) -> Any:
    """`arguments` in sealed form, encoded as they were; with `readable` beside the form they had. `place` makes equal
    arguments of two places look different. `by` names site and key, for people."""
    inner = _inner(arguments)
    form = {SEALED: seal(json.dumps([bound, place, inner], sort_keys=True))}
    if by:
        form = {SEALED_BY: by, **form}
    return encoded(arguments, {**inner, **form} if readable and isinstance(inner, dict) else form)


def sealed_value(seal: Seal, kind: str, place: Place, value: Any, by: str) -> dict[str, str]:
    """A value of any form in sealed form: what is opened is equal to it, the order of its keys too."""
    return {SEALED_BY: by, SEALED: seal(json.dumps([kind, place, value]))}


def opened(arguments: Any, open_: Unseal, bound: str, *, added: Collection[str] = ()) -> Declared | None:
    """What the site sealed for `bound`; None when it sealed nothing, or for something else. Of what stands beside the
    sealed form only the keys of `added` count, which Airflow adds on the plane: they never replace what was sealed."""
    if not has_seal(arguments):
        return None
    inner = _inner(arguments)
    plain = open_(inner[SEALED])
    if plain is None:
        return None
    name, place, declared = json.loads(plain)
    if name != bound or not isinstance(declared, dict | None):
        return None
    beside = {key: inner[key] for key in added if key in inner}
    return Declared(encoded(arguments, {**beside, **(declared or {})}), tuple(place))


def _inner(arguments: Any) -> Any:
    if isinstance(arguments, dict) and set(arguments) == {TYPE, VAR}:
        return arguments[VAR]
    return arguments
