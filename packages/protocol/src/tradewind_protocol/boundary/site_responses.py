"""What the plane sends down, as a site may read it: notices out of every `conf`, and sealed arguments opened."""

from __future__ import annotations

import json
from typing import Any, Final

from tradewind_protocol.boundary.notices import NOTICE, without_notices
from tradewind_protocol.boundary.sealing import SEALED, Unseal, opened

_MARKS: Final = (NOTICE, SEALED)


def for_site(body: bytes, open_: Unseal) -> bytes:
    """An answer of the plane as the site reads it. One with neither a notice nor anything sealed is returned unread."""
    if not any(mark.encode() in body for mark in _MARKS):
        return body
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return json.dumps(value_for_site(answer, open_)).encode()


def value_for_site(value: Any, open_: Unseal) -> Any:
    """The same for JSON that was read already: an answer, a trigger, or a workload."""
    if isinstance(value, list):
        return [value_for_site(item, open_) for item in value]
    if not isinstance(value, dict):
        return value
    read = {key: value_for_site(item, open_) for key, item in value.items()}
    if "conf" in read:
        read["conf"] = without_notices(read["conf"])
    if isinstance(read.get("arguments"), str):  # of a trigger: JSON in JSON
        read["arguments"] = _arguments(read["arguments"], read.get("classpath"), open_)
    if "next_kwargs" in read:
        read["next_kwargs"] = opened(read["next_kwargs"], open_, (str(read.get("next_method")),))
    if "kwargs" in read and "path" in read:
        read["kwargs"] = opened(read["kwargs"], open_, (str(read["path"]),))
    return read


def _arguments(text: str, classpath: Any, open_: Unseal) -> str:
    if not any(mark in text for mark in _MARKS):
        return text
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        return text
    inner = arguments.get("__var", arguments) if isinstance(arguments, dict) else {}
    called = inner.get("callback_path") if isinstance(inner, dict) else None
    read = value_for_site(arguments, open_)
    return json.dumps(opened(read, open_, {str(classpath), str(called)}))
