"""Kinds of file systems that fsspec resets in each forked process, and that only what a task forks needs reset."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os, threading
import fsspec
from fsspec import spec
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from tradewind_runtime.accelerators.file_system_registry import FileSystemRegistry
file_system_registry = FileSystemRegistry()

def in_a_fork(check):
    if os.fork() == 0:
        try:
            check()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.wait()[1] == 0

kinds = set(spec._registered_classes)
ours, lock = LocalFileSystem(), LocalFileSystem._instantiation_lock
file_system_registry.install()
file_system_registry.renew()
file_system_registry.renew()
"""


def run(script: str) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT + script], check=True, timeout=60)


def test_what_is_forked_resets_none_and_yet_gets_no_instance_of_another_process() -> None:
    run("""
def check():
    assert LocalFileSystem._instantiation_lock is lock
    assert LocalFileSystem() is not ours and LocalFileSystem() is LocalFileSystem()
assert LocalFileSystem() is ours
in_a_fork(check)
""")


def test_what_a_task_forks_resets_all_of_them_and_those_it_has_brought() -> None:
    run("""
def task():
    file_system_registry.give_back()
    file_system_registry.give_back()
    class Brought(LocalFileSystem):
        pass
    locks = {each: each._instantiation_lock for each in spec._registered_classes}
    assert set(locks) == kinds | {Brought}
    def child():
        assert all(each._instantiation_lock is not lock for each, lock in locks.items())
    in_a_fork(child)
in_a_fork(task)
""")
