"""The base of every message on the wire."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """One JSON object on the wire: immutable once made; fields it does not know are ignored.

    Ignoring the unknown is what lets an agent one minor version behind read what a newer plane sends, and the
    reverse. A field is never renamed or given another meaning: a new one is added, with a default.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64")
