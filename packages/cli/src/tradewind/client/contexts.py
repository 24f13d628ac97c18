"""Which planes this person knows, kept in one private file.

The file holds API tokens, so it is written with mode 0600, replaced as a whole, and its secrets are never printed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tradewind.errors import BadUsage


class Context(BaseModel):
    """One plane or platform, and how to sign in to it."""

    model_config = ConfigDict(frozen=True)

    url: str
    username: str | None = None  # asked for a password when the token has expired
    token: str | None = Field(default=None, repr=False)  # an Airflow API token
    ca_file: str | None = None  # a certificate authority of one's own, PEM
    kind: Literal["plane", "platform"] = "plane"
    token_id: str | None = None  # of a token that `login` was given by the browser: `logout` deletes it


class Contexts(BaseModel):
    """Everything in the file."""

    model_config = ConfigDict(frozen=True)

    current: str | None = None
    contexts: dict[str, Context] = {}

    def get(self, name: str) -> Context:
        """The context of that name. Raises BadUsage naming those there are."""
        try:
            return self.contexts[name]
        except KeyError:
            known = ", ".join(sorted(self.contexts)) or "none yet"
            raise BadUsage(
                f"there is no context {name!r}; known: {known}",
                remedy="Add it with `tradewind contexts add NAME URL`.",
            ) from None

    def using(self, name: str) -> Contexts:
        """The same with `name` as the current one. Raises BadUsage when there is no such context."""
        self.get(name)
        return self.model_copy(update={"current": name})

    def adding(self, name: str, context: Context) -> Contexts:
        """The same with one context added or replaced; the first one added becomes current."""
        return Contexts(current=self.current or name, contexts={**self.contexts, name: context})

    def without(self, name: str) -> Contexts:
        """The same with one context less. Raises BadUsage when there is no such context."""
        self.get(name)
        kept = {key: value for key, value in self.contexts.items() if key != name}
        return Contexts(current=None if self.current == name else self.current, contexts=kept)


def default_path(env: Mapping[str, str]) -> Path:
    """`tradewind/contexts.json` under the XDG configuration directory; TRADEWIND_CONTEXTS names another file."""
    if named := env.get("TRADEWIND_CONTEXTS"):
        return Path(named)
    home = env.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "tradewind" / "contexts.json"


def load(path: Path) -> Contexts:
    """Read the file; an absent one is empty. Raises BadUsage naming the file when it cannot be understood."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return Contexts()
    except OSError as problem:
        raise BadUsage(f"{path} cannot be read: {problem.strerror}") from problem
    try:
        return Contexts.model_validate_json(text)
    except ValidationError:
        # the cause is not chained: pydantic's message quotes the input, which holds tokens
        raise BadUsage(
            f"{path} is not a file of contexts", remedy="Repair it, or delete it and add your planes again."
        ) from None


def save(path: Path, contexts: Contexts) -> None:
    """Replace the file, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with open(fresh, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(contexts.model_dump(mode="json", exclude_none=True), file, indent=2)
    os.replace(fresh, path)
