"""`python -m benchmarks.large_values [MB | STORE | VALUE …]`: the memory of a task that writes and reads a large value in a bucket.

The stores (`s3`, `azure`, `google`) are those of `make test-backends`, and `folder` is one of this machine. The values are `text`, `rows` and `DataFrame`. A figure of 1.0 is
what the value itself takes of memory. Of the seconds, those in brackets are the task's own CPU; the emulator takes most of the others.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from backends import prepared  # noqa: E402
from backends.stores_of import STORES, unavailable  # noqa: E402
from support.cloud.server import Servers  # noqa: E402
from support.environments import of_cloud  # noqa: E402


def main(*arguments: str) -> None:
    sizes = [int(each) for each in arguments if each.isdigit()] or [1000]
    names = ["folder", *(each.name for each in STORES)]
    stores = [each for each in names if each in arguments] or names
    values = [each for each in prepared.VALUES if each in arguments] or list(prepared.VALUES)
    print(
        "| store | value | size | peak while written | peak while read | seconds to write | seconds to read |\n"
        "|---|---|---|---|---|---|---|",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="tw-bench-") as made:
        place = Path(made)

        def rows(store: str, interpreter: Path, storage: str, variables: Mapping[str, str]) -> None:
            for value in values:
                for size in sizes:
                    writing, reading = prepared.large_value(
                        value,
                        size * 1_000_000,
                        interpreter=interpreter,
                        home=place / store,
                        storage=storage,
                        variables=variables,
                    )
                    memory = f"+{writing.memory:.2f} | +{reading.memory:.2f}"
                    times = " | ".join(f"{each.seconds:.0f} ({each.cpu:.0f})" for each in (writing, reading))
                    print(f"| {store} | {value} | {size} MB | {memory} | {times} |", flush=True)

        if "folder" in stores:
            allowed = {"AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES": "airflow.* pandas.*"}
            (place / "values").mkdir()
            interpreter = of_cloud("amazon", "pandas", "pyarrow")
            rows("folder", interpreter, f"file://{place}/values", allowed)
        with Servers(place / "servers") as servers:
            for kind in STORES:
                if kind.name in stores and not unavailable(kind):
                    with kind(servers) as store:
                        rows(store.name, store.interpreter, store.storage, store.variables())


if __name__ == "__main__":
    main(*sys.argv[1:])
