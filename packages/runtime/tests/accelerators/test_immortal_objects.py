"""What is alive before a fork is used without a copy of it, and nothing that matters lives longer for it."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import tradewind_runtime
from support import interpreters
from tradewind_runtime.accelerators import immortal_objects

SOURCE = Path(tradewind_runtime.__file__).parents[1]

FORKED = """
import gc, os, resource, sys
from tradewind_runtime.accelerators.immortal_objects import ImmortalObjects
names = [f"a name that is on some page, number {number}" for number in range(100_000)]
accelerator = ImmortalObjects()
assert accelerator.applies() is None, accelerator.applies()
if sys.argv[1] == "on":
    accelerator.install()
accelerator.freeze()
gc.freeze()
gc.disable()

def use_them_all():
    for name in names:
        name

if (child := os.fork()) == 0:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    use_them_all()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_forked_process_copies_no_page_of_what_it_only_reads():
    without, with_it = int(run(FORKED, "off")), int(run(FORKED, "on"))
    assert without > 1_000  # some 9 MB of strings
    assert with_it < without / 10


ENDS = """
import gc, os, socket, sys, threading, weakref
from tradewind_runtime.accelerators.immortal_objects import IMMORTAL, make_immortal

class Finalized:
    def __del__(self):
        ended.append("finalizer")

class Plain:
    pass

def generator():
    try:
        yield
    finally:
        ended.append("generator")

ended = []
reading, writing = os.pipe()
kept = [Finalized(), generator(), os.fdopen(writing, "w"), socket.socket(), threading.Lock(), Plain()]
next(kept[1])
gc.collect()
assert make_immortal() > 1_000
immortal = [sys.getrefcount(each) >= IMMORTAL for each in kept]
assert immortal == [False, False, False, False, False, True], immortal
kept.clear()
assert sorted(ended) == ["finalizer", "generator"], ended
assert os.read(reading, 1) == b"", "the file that was dropped is open still"
"""


def test_files_generators_and_what_has_a_finalizer_end_with_their_last_use():
    run(ENDS)


LATER = """
import gc, sys, weakref
from tradewind_runtime.accelerators.immortal_objects import IMMORTAL, make_immortal

class Kept:
    pass

def function(number):
    return [number, "of a function"]

registry = {}
gc.collect()
make_immortal()
assert sys.getrefcount(function) >= IMMORTAL
assert sys.getrefcount(function.__code__) >= IMMORTAL
assert sys.getrefcount(function.__code__.co_consts[-1]) >= IMMORTAL
assert make_immortal() < 100, "what is immortal is made so once"
made = Kept()
made.itself = made
registry["made"] = made
gone = weakref.ref(made)
del made
gc.collect()
assert gone() is not None, "what a dict holds, stays"
registry.clear()
gc.collect()
assert gone() is None
assert sys.getrefcount(function(70_000)) < 10
assert function(1) == [1, "of a function"]
"""


def test_what_is_made_later_is_counted_and_freed_as_ever():
    run(LATER)


WHOLE = """
import decimal, enum, json, logging, sys
from tradewind_runtime.accelerators.immortal_objects import make_immortal
make_immortal()
assert sys.intern("made later, argument " + str(len(sys.argv))) == "made later, argument 1"
assert json.loads(json.dumps({"a": [1, None, 2.5]})) == {"a": [1, None, 2.5]}
"""


def test_the_process_itself_works_on_and_ends_without_a_word():
    assert run(WHOLE) == ""


def test_it_is_off_where_python_has_no_immortal_objects(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 9))
    assert immortal_objects.ImmortalObjects().applies() == "Python has immortal objects from 3.12 on"


def test_it_is_off_where_python_counts_in_another_way(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    monkeypatch.setattr(immortal_objects, "IMMORTAL", 3 << 30)  # as Python 3.14 does
    assert "counts of references in another way" in str(immortal_objects.ImmortalObjects().applies())


def test_until_it_is_installed_it_changes_nothing():
    accelerator = immortal_objects.ImmortalObjects()
    accelerator.freeze()
    one = ["of", "this", "test"]
    assert sys.getrefcount(one) < 10


@cache
def python() -> Path:
    found = interpreters.at_least((3, 12))
    if found is None:
        pytest.skip("immortal objects need Python 3.12 or later, and this machine has none")
    return found


def run(script: str, *arguments: str) -> str:
    """What it prints, by an interpreter that has immortal objects and none of our packages but this one."""
    done = subprocess.run(
        [python(), "-I", "-c", f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n{script}", *arguments],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
