"""Arguments that the plane has to hand back to the site, in a form only the site's agents can read.

A trigger that starts before its task, an asset's watcher and a deadline's callback run at the site when the plane says
so, and the plane keeps their arguments until then. Under strict rules it keeps them sealed. What is sealed is bound to
the class or function it is for: the plane cannot have it opened as the arguments of another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any, Final

from tradewind_protocol.boundary.dag_fields import TYPE, VAR

SEALED: Final = "tradewind_sealed"
"""The one key of a map of arguments that is sealed."""

_FORM: Final = re.compile(r"[A-Za-z0-9_-]{16,}={0,2}")

Seal = Callable[[str], str]
"""Text to what only this site can read. Equal texts give equal results, so that a Dag's version stays the same."""

Unseal = Callable[[str], str | None]
"""Undo `Seal`; None for what was sealed with another key, or not sealed at all."""


def is_sealed(arguments: Any) -> bool:
    """Whether arguments are in sealed form, encoded as Airflow does or not. Nobody without the key can say more."""
    inner = _inner(arguments)
    return (
        isinstance(inner, dict)
        and set(inner) == {SEALED}
        and isinstance(inner[SEALED], str)
        and _FORM.fullmatch(inner[SEALED]) is not None
    )


def sealed(seal: Seal, bound: str, place: tuple[str, ...], arguments: Any) -> Any:
    """`arguments` in sealed form, encoded as they were. `place` makes equal arguments of two places look different."""
    inner = _inner(arguments)
    text = json.dumps([bound, place, inner], sort_keys=True)
    told = {SEALED: seal(text)}
    return {TYPE: arguments[TYPE], VAR: told} if inner is not arguments else told


def opened(value: Any, open_: Unseal, names: Collection[str]) -> Any:
    """`value` with everything in it unsealed that is bound to one of `names`; the rest is left as it is."""
    if isinstance(value, list):
        return [opened(item, open_, names) for item in value]
    if not isinstance(value, dict):
        return value
    rest = {key: opened(item, open_, names) for key, item in value.items() if key != SEALED}
    if SEALED not in value:
        return rest
    arguments = _opened(value[SEALED], open_, names)
    return {SEALED: value[SEALED], **rest} if arguments is None else {**arguments, **rest}


def _opened(text: Any, open_: Unseal, names: Collection[str]) -> dict[str, Any] | None:
    plain = open_(text) if isinstance(text, str) else None
    if plain is None:
        return None
    bound, _, arguments = json.loads(plain)
    return arguments if bound in names and isinstance(arguments, dict) else None


def _inner(arguments: Any) -> Any:
    if isinstance(arguments, dict) and set(arguments) == {TYPE, VAR}:
        return arguments[VAR]
    return arguments
