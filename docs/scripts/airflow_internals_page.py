"""Write docs/reference/airflow-internals.md: each name of Airflow's that our code uses, found in the source and looked up in the
installed Airflow.

A name that is no longer there fails the page, and with it `make check`: that is what must be read when a new Airflow comes out.
"""

from __future__ import annotations

import ast
import importlib
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "airflow-internals.md"

_SIDES: Final = (
    ("At a site: tradewind-runtime", "runtime/src/tradewind_runtime", ("airflow", "accelerators")),
    (
        "On the plane: tradewind-provider",
        "provider/src/tradewind_provider",
        ("airflow", "auth_manager", "shortcuts"),
    ),
)

_TOP = """# What Tradewind uses of Airflow's internals

Generated from the source by `docs/scripts/airflow_internals_page.py`, which looks each name up in Airflow {airflow}.

Read this when a new Airflow comes out: a name that has moved or changed is met in the modules beside it, and nowhere else. Names
that begin with `_` are Airflow's own and may change in any release. What correctness needs is in `airflow` packages; modules
of `accelerators` and `shortcuts` only save time and memory, and are off where a name they need is missing.
"""


class Use(NamedTuple):
    """One name of Airflow's, in one of our modules."""

    module: str  # Airflow's
    name: str  # in it, with dots; empty for the module itself
    ours: str  # relative to our package, such as `airflow/workloads`


def page() -> str:
    """The whole page. Raises LookupError for a name that Airflow does not have."""
    airflow = version("apache-airflow-core")
    parts = [_TOP.format(airflow=airflow).rstrip()]
    for title, folder, packages in _SIDES:
        parts += ["", f"## {title}", "", "| Airflow's | name | used in | checked with |", "|---|---|---|---|"]
        by_name: dict[tuple[str, str], set[str]] = defaultdict(set)
        for use in uses(ROOT / "packages" / folder, packages):
            by_name[use.module, use.name].add(use.ours)
        parts += [
            f"| `{module}` | {f'`{name}`' if name else ''} | {', '.join(f'`{one}`' for one in sorted(ours))} | {airflow} |"
            for (module, name), ours in sorted(by_name.items())
        ]
    return "\n".join(parts) + "\n"


def uses(root: Path, packages: tuple[str, ...]) -> Iterator[Use]:
    """Every use of a name of Airflow's below some packages of a distribution."""
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            ours = path.relative_to(root).with_suffix("").as_posix()
            for dotted in sorted(_names(ast.parse(path.read_text(encoding="utf-8")))):
                if dotted.startswith("airflow.providers."):  # of an owner's choice, with a release of its own
                    continue
                module, name, _ = looked_up(dotted)
                yield Use(module, name, ours)


def looked_up(dotted: str) -> tuple[str, str, Any]:
    """The module, the name in it and what it is. Raises LookupError when Airflow has no such thing."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as missing:
            if missing.name is None or not module.startswith(missing.name):
                raise
            continue
        for name in parts[count:]:
            if not hasattr(found, name) and name not in _fields(found):
                raise LookupError(f"Airflow {version('apache-airflow-core')} has no {dotted}")
            found = getattr(found, name, None)
        return module, ".".join(parts[count:]), found
    raise LookupError(f"Airflow {version('apache-airflow-core')} has no {dotted}")


def _fields(of: Any) -> set[str]:
    """Attributes that only instances of a class have."""
    classes = of.__mro__ if isinstance(of, type) else ()
    attributes = {one.name for each in classes for one in vars(each).get("__attrs_attrs__", ())}
    return attributes | {name for each in classes for name in vars(each).get("__annotations__", {})}


def _names(tree: ast.Module) -> set[str]:
    """What a module imports from Airflow, the attributes it asks of that, and what its subclasses override and use."""
    aliases: dict[str, str] = {}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name.partition(".")[0] == "airflow":
                    found.add(one.name)
                    aliases[one.asname or "airflow"] = one.name if one.asname else "airflow"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "airflow":
            for one in node.names:
                found.add(f"{node.module}.{one.name}")
                aliases[one.asname or one.name] = f"{node.module}.{one.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            if chain := _chain(node.value, aliases):
                aliases.setdefault(node.targets[0].id, chain)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (chain := _chain(node, aliases)):
            found.add(_known(chain))
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                if chain := _chain(base, aliases):
                    found |= {f"{chain}.{name}" for name in _of_base(node, looked_up(chain)[2])}
    return found


def _chain(node: ast.AST, aliases: dict[str, str]) -> str:
    """`airflow.…` for a name or attributes of one that came from Airflow; else empty."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in aliases:
        return ""
    return ".".join([aliases[node.id], *reversed(names)])


def _known(chain: str) -> str:
    """Without what is no longer Airflow's: the methods of a function, a text or an object."""
    parts = chain.split(".")
    for count in range(2, len(parts)):
        found = looked_up(".".join(parts[:count]))[2]
        if not isinstance(found, type) and type(found).__name__ != "module":
            ours = type(found).__module__.partition(".")[0] == "airflow"
            return ".".join(parts[: count + 1] if ours else parts[:count])
    return chain


def _of_base(node: ast.ClassDef, base: Any) -> set[str]:
    """What a class overrides of a base class of Airflow's, and uses of it through `self` and `super()`."""
    own = {one.name for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))}
    used = set(own)
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute):
            of = one.value
            is_super = isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == "super"
            if is_super or (isinstance(of, ast.Name) and of.id == "self"):
                used.add(one.attr)
    there = {*dir(base), *_fields(base)} - set(dir(object))
    return {name for name in used & there if not name.startswith("__")}


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="tradewind-page-"))
    PAGE.write_text(page(), encoding="utf-8")
