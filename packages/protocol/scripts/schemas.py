"""Write the JSON schemas of every message, one file for each module, to `tradewind_protocol/schemas/`."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

import tradewind_protocol
from tradewind_protocol.messages import Message

SCHEMAS = Path(tradewind_protocol.__file__).parent / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """Module → the schemas of its messages, by name."""
    found = {}
    for module in sorted(one.name for one in pkgutil.iter_modules(tradewind_protocol.__path__)):
        loaded = importlib.import_module(f"tradewind_protocol.{module}")
        messages = [
            each
            for each in vars(loaded).values()
            if isinstance(each, type)
            and issubclass(each, Message)
            and each is not Message
            and each.__module__ == loaded.__name__
        ]
        if messages:
            _, schema = models_json_schema([(each, "validation") for each in messages])
            found[module] = schema["$defs"]
    return found


def text(schema: dict[str, Any]) -> str:
    """As it is kept."""
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMAS.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (SCHEMAS / f"{name}.json").write_text(text(schema), encoding="utf-8")
