"""Values JSON cannot say, said in JSON: what an event carries from a trigger to its task.

Only what Airflow's own pipe between a trigger and its supervisor can carry is here (moments, bytes, maps with any
plain key, numbers that are not finite). Reading a packed value makes plain values and nothing else: no class is looked
up and no module imported, because the reader does not trust the writer.
"""

from __future__ import annotations

import base64
import binascii
import math
from datetime import datetime
from typing import Any, Final

TAG: Final = "$tradewind"
"""A map with this one key stands for a value JSON has no form for: `{"$tradewind": [kind, value]}`."""

DEEPEST: Final = 100
"""How far lists and maps may be nested."""


def pack(value: Any, _depth: int = 0) -> Any:
    """`value` in JSON's own types. Raises TypeError naming the type of what cannot be said, ValueError when nested
    deeper than `DEEPEST`."""
    if _depth > DEEPEST:
        raise ValueError(f"a value is nested more than {DEEPEST} levels deep")
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {TAG: ["float", repr(value)]}
    if isinstance(value, datetime):
        return {TAG: ["moment", value.isoformat()]}
    if isinstance(value, (bytes, bytearray)):
        return {TAG: ["bytes", base64.b64encode(value).decode()]}
    if isinstance(value, (list, tuple)):
        return [pack(item, _depth + 1) for item in value]
    if isinstance(value, dict):
        if TAG not in value and all(isinstance(key, str) for key in value):
            return {key: pack(item, _depth + 1) for key, item in value.items()}
        pairs = [[pack(key, _depth + 1), pack(item, _depth + 1)] for key, item in value.items()]
        return {TAG: ["map", pairs]}
    raise TypeError(f"a value of type {type(value).__name__} cannot leave this process")


def unpack(packed: Any, _depth: int = 0) -> Any:
    """Undo `pack`. Raises ValueError for anything `pack` does not write."""
    if _depth > 3 * DEEPEST:
        raise ValueError(f"a packed value is nested more than {DEEPEST} levels deep")
    if isinstance(packed, list):
        return [unpack(item, _depth + 1) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if TAG not in packed:
        return {key: unpack(item, _depth + 1) for key, item in packed.items()}
    match packed[TAG]:
        case ["moment", str(text)]:
            return datetime.fromisoformat(text)
        case ["float", ("nan" | "inf" | "-inf") as text]:
            return float(text)
        case ["bytes", str(text)]:
            return _bytes(text)
        case ["map", list(pairs)]:
            return _map(pairs, _depth)
    raise ValueError("a packed value has an unknown form")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"packed bytes are not base64: {error}") from None


def _map(pairs: list[Any], depth: int) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError("a packed map has an entry that is not a key and a value")
        key = unpack(pair[0], depth + 1)
        if isinstance(key, (list, dict)):
            raise ValueError("a packed map has a key that cannot be one")
        result[key] = unpack(pair[1], depth + 1)
    return result
