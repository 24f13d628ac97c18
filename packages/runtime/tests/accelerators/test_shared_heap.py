"""What is forked finds no room between the objects it shares."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("size", [64, 128, 512])
def test_what_is_made_after_the_freeze_lies_in_no_hole_of_what_was(size: int) -> None:
    script = f"""
from tradewind_runtime.accelerators.heap_padding import HeapPadding
shared = [bytes({size} - 33) for _ in range(10_000)]
pages = {{id(each) // 4096 for each in shared}}
del shared[::2]
padding = HeapPadding()
padding.install()
padding.fill()
made = [bytes({size} - 33) for _ in range(2_000)]
assert not pages & {{id(each) // 4096 for each in made}}
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize("allocator", ["malloc", "debug"])
def test_where_objects_never_lie_one_after_the_other_little_is_filled(allocator: str) -> None:
    script = """
import sys
from tradewind_runtime.accelerators.heap_padding import HeapPadding
padding = HeapPadding()
padding.install()
padding.fill()
assert sum(sys.getsizeof(each) for some in padding._fillings for each in some) < 20_000_000
"""
    environ = {**os.environ, "PYTHONMALLOC": allocator}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env=environ)
