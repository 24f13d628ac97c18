"""`python -m tradewind_provider.dag_check`: whether a plane with these packages and plugins would store a site's Dags.

Reads a line of JSON for each Dag on standard input: `bundle`, `file`, and `dag` as it leaves its site. Prints a line of JSON for each
that would be refused, behind a mark, and one at the end. Needs no database.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

from tradewind_protocol.errors import Refused

MARK: Final = "tradewind-plane-check "
_EXECUTOR: Final = ("AIRFLOW__CORE__EXECUTOR", "tradewind_provider.executor.RemoteExecutor")


def main() -> int:
    """Exit status 0 when the check could be made, whatever it found."""
    os.environ.setdefault(*_EXECUTOR)
    from tradewind_provider.airflow import dag_checks

    asked = [json.loads(line) for line in sys.stdin if line.strip()]
    for one in asked:
        try:
            dag_checks.checked(one["bundle"], one["file"], one["dag"])
        except Refused as problem:
            refusal = problem.refusal
            _say({**_place(one), "cause": refusal.message, "remedy": refusal.remedy})
    _say({"checked": len(asked)})
    return 0


def _place(one: dict[str, Any]) -> dict[str, str]:
    return {"bundle": str(one["bundle"]), "file": str(one["file"])}


def _say(line: dict[str, Any]) -> None:
    print(MARK + json.dumps(line), flush=True)  # noqa: T201 (this is the answer)


if __name__ == "__main__":
    sys.exit(main())
