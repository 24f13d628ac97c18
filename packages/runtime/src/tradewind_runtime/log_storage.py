"""`python -m tradewind_runtime.log_storage`: the log storage of a task environment, read and filled as the agent asks.

Reads lines of JSON on standard input: a `Configure` whose log directory is that of logs that wait, then requests. Each has one
answer, a line of JSON behind a mark. Ends when the input does. Only a task environment has what opens the storage.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path, PurePosixPath
from typing import Any, Final

from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment

MARK: Final = "tradewind-logs "


def main() -> int:
    """Exit status 0 when the input has ended."""
    environment.prepare(Configure.model_validate_json(sys.stdin.readline()))
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line))
        except Exception as error:
            answer = {"problem": f"{error}"[:1000] or type(error).__name__}
        print(MARK + json.dumps(answer), flush=True)  # noqa: T201 (this is the answer)
    return 0


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    from tradewind_runtime.airflow import log_storage

    if "read" in asked:
        return {"names": log_storage.read(_path(asked["read"]), Path(asked["into"]))}
    return {"problem": log_storage.upload(_path(asked["upload"]))}


def _path(given: str) -> Path:
    """A log's path below the log folder. Raises ValueError for any other: a storage is asked for all that begins with it."""
    path = PurePosixPath(given)
    if path.is_absolute() or ".." in path.parts or not path.suffix:
        raise ValueError(f"{given!r} is not the path of a log")
    return Path(path)


if __name__ == "__main__":
    sys.exit(main())
