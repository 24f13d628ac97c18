"""What is alive before the fork is not counted any more, so that its use writes to no memory that processes share.

Python writes into each object how many references there are to it, whenever it is used. The kernel then copies the page that
the object is on, in every process that uses it: that was half of all pages that a task's process copied. From Python 3.12 on an
object with one certain count is immortal (PEP 683): Python reads that count, does not write it, and never frees the object.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import types
from typing import Any, Final

IMMORTAL: Final = 0xFFFF_FFFF
"""The count of None, and of every other object that Python itself made immortal, on 64 bits."""

_KINDS: Final = frozenset(
    {
        bytes,
        classmethod,
        dict,
        float,
        frozenset,
        int,
        list,
        property,
        set,
        staticmethod,
        str,
        tuple,
        type,
        types.BuiltinFunctionType,
        types.CellType,
        types.ClassMethodDescriptorType,
        types.CodeType,
        types.FunctionType,
        types.GetSetDescriptorType,
        types.MappingProxyType,
        types.MemberDescriptorType,
        types.MethodDescriptorType,
        types.MethodType,
        types.MethodWrapperType,
        types.ModuleType,
        types.WrapperDescriptorType,
    }
)
"""Built-in types whose objects hold nothing but memory. Files, sockets, locks, generators and frames are not among them: the end of one
of those does something."""

_NESTS: Final = frozenset({tuple, frozenset, dict, types.CodeType})
"""What may be unknown to the collector and refer to further objects."""

_OF_CODE: Final = (
    *("co_consts", "co_names", "co_varnames", "co_cellvars", "co_freevars"),
    *("co_name", "co_qualname", "co_filename", "co_linetable", "co_exceptiontable"),
)
_OF_C: Final = frozenset(
    {
        types.BuiltinFunctionType,
        types.ClassMethodDescriptorType,
        types.GetSetDescriptorType,
        types.MethodDescriptorType,
        types.WrapperDescriptorType,
    }
)
_HEAP_TYPE: Final = 1 << 9  # of `type.__flags__`: made by a class statement, or by a library at run time
_COUNTS: Final = (ctypes.c_uint64 * (1 << 44)).from_address  # by the address of an object, divided by 8


class ImmortalObjects:
    name = "immortal_objects"

    def __init__(self) -> None:
        self._installed = False

    def applies(self) -> str | None:
        if sys.version_info < (3, 12):
            return "Python has immortal objects from 3.12 on"
        if not counts_are_where_expected():
            return "this build of Python keeps the counts of references in another way"
        return None

    def install(self) -> None:
        self._installed = True

    def freeze(self) -> None:
        """Make immortal what is alive now. Call it when everything is imported, and before the collector's freeze, which hides
        from `gc` what there is."""
        if self._installed:
            gc.collect()
            make_immortal()


def counts_are_where_expected() -> bool:
    """Whether this build keeps an object's count in the object's first 64 bits, and counts as Python 3.12 and 3.13 do: not
    the free-threaded one, nor one for debugging."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    usual: list[object] = []
    return _count(None) == IMMORTAL and _count(usual) == sys.getrefcount(usual)


def make_immortal() -> int:
    """Make every object immortal that the collector knows, or that one of these refers to, and whose end does nothing
    but free memory. Returns how many. What is made later is counted as ever. Idempotent."""
    lasting: dict[type, bool] = dict.fromkeys(_KINDS, True)
    known = [each for each in gc.get_objects() if _lasts(type(each), lasting)]
    found: list[Any] = []
    for each in known:
        found += [one for one in gc.get_referents(each) if not gc.is_tracked(one)]
    found += known
    counts = _COUNTS(0)
    made = 0
    while found:
        each = found.pop()
        if sys.getrefcount(each) >= IMMORTAL or not _lasts(type(each), lasting):
            continue
        counts[id(each) >> 3] = IMMORTAL
        made += 1
        if type(each) in _NESTS and not gc.is_tracked(each):
            found += _of_code(each) if type(each) is types.CodeType else gc.get_referents(each)
    return made


def _count(one: object) -> int:
    """As Python has it, the two references that calling this takes included."""
    return ctypes.c_uint64.from_address(id(one)).value


def _of_code(code: types.CodeType) -> list[Any]:
    """What a code object refers to, of which it tells the collector nothing."""
    return [getattr(code, name) for name in _OF_CODE]


def _lasts(kind: type, known: dict[type, bool]) -> bool:
    """Whether the end of such an object does nothing but free memory: it is of `_KINDS`, or of a class written in Python that
    is made of these and has no finalizer."""
    if (found := known.get(kind)) is None:
        found = known[kind] = not hasattr(kind, "__del__") and all(
            base is object or base in _KINDS or _is_pythons(base) for base in kind.__mro__
        )
    return found


def _is_pythons(kind: type) -> bool:
    """Whether it was made by a class statement. A class of C has methods of C; so may one of Python, which is left out then."""
    return bool(kind.__flags__ & _HEAP_TYPE) and not any(
        type(value) in _OF_C and name not in ("__dict__", "__weakref__") for name, value in vars(kind).items()
    )
