"""`python -m benchmarks.large_values [MB | STORE | VALUE …]`: the memory of a task that writes and reads a large value in a bucket.

The stores (`s3`, `azure`, `google`) are those of `make test-backends`, the values `text`, `rows` and `DataFrame`. A figure of 1.0 is
what the value itself takes of memory. Of the seconds, those in brackets are the task's own CPU; the emulator takes most of the others.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from backends import prepared  # noqa: E402
from backends.stores_of import STORES, unavailable  # noqa: E402
from support.cloud.server import Servers  # noqa: E402


def main(*arguments: str) -> None:
    sizes = [int(each) for each in arguments if each.isdigit()] or [1000]
    stores = [each.name for each in STORES if each.name in arguments]
    values = [each for each in prepared.VALUES if each in arguments] or list(prepared.VALUES)
    print(
        "| store | value | size | peak while written | peak while read | seconds to write | seconds to read |\n"
        "|---|---|---|---|---|---|---|",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="tw-bench-") as place:
        with Servers(Path(place) / "servers") as servers:
            for kind in STORES:
                if unavailable(kind) or (stores and kind.name not in stores):
                    continue
                with kind(servers) as store:
                    for value in values:
                        for size in sizes:
                            writing, reading = prepared.large_value(
                                value,
                                size * 1_000_000,
                                interpreter=store.interpreter,
                                home=Path(place) / store.name,
                                storage=store.storage,
                                variables=store.variables(),
                            )
                            memory = f"+{writing.memory:.2f} | +{reading.memory:.2f}"
                            times = " | ".join(
                                f"{each.seconds:.0f} ({each.cpu:.0f})" for each in (writing, reading)
                            )
                            print(f"| {store.name} | {value} | {size} MB | {memory} | {times} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
