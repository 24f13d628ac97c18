"""Which code the plane may name, and have run here with arguments of its choice.

A task is code of the site's own Dag file. Callbacks of deadlines, triggers and the methods that resume tasks come
otherwise: the plane sends a name and arguments, and Airflow imports and calls whatever it is, `os.system` as readily as a
notifier. The plane is another party than the site. The agent's gateway has compared names and arguments with what the
site's own Dags and tasks declared (`tradewind_protocol.boundary.declarations`), and marks what none of them did; that is
refused here. A name is judged once more before Airflow has it.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
import inspect
import sys
import sysconfig
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Final

from tradewind_protocol import boundary

IN_DAG_FILE: Final = "unusual_prefix_"
"""What Airflow puts before the name of a module that is a Dag file."""

_REMEDY: Final = (
    "A callback is code of a Dag bundle, or a notifier of an Airflow provider. Name others in the task environment's "
    "Airflow configuration, [tradewind] callbacks (variable AIRFLOW__TRADEWIND__CALLBACKS), such as acme.alerts.*"
)


class NotForThePlane(PermissionError):
    """The plane named code that it may not have run at this site."""


def judge_declaration(arguments: Any) -> None:
    """Return if the site declared what these arguments are for. Raises NotForThePlane with the gateway's reason."""
    if why := boundary.why_undeclared(arguments):
        raise NotForThePlane(why)


def judge_callback(path: str, *, dag_file: Path | None = None) -> None:
    """Return if the plane may have the callable `path` called. Raises NotForThePlane.

    Allowed is what is defined in the site's own code (a Dag file, a bundle, the plugins folder, PYTHONPATH: whatever is
    neither Python's nor installed), a notifier of Airflow and its providers, and what the site's configuration names.
    What cannot be found is let through: Airflow says so in its own words.
    """
    module_name, _, name = path.rpartition(".")
    if not module_name or _configured(path):
        return
    if module_name.startswith(IN_DAG_FILE):
        if dag_file is not None and not _defined_in(dag_file, name):
            raise _refusal(path, f"the Dag file {dag_file.name} does not define {name}")
        return
    if not (_is_own(module_name) or _is_airflows(module_name)):
        raise _refusal(path, f"{module_name.partition('.')[0]} is neither the site's own code nor Airflow's")
    try:
        found = getattr(import_module(module_name), name, None)
    except (
        Exception
    ):  # whatever the module does wrong, it does again when Airflow imports it, which then says so
        return
    if found is None or _is_notifier(found):
        return
    if _is_airflows(module_name):
        raise _refusal(path, "it is no notifier")
    # The site's own module, but maybe something that it imported from elsewhere.
    if (inspect.isroutine(found) or inspect.isclass(found)) and not _is_own(str(found.__module__)):
        raise _refusal(path, f"{module_name} has it from {found.__module__}")


def judge_trigger_module(classpath: str) -> None:
    """Return if the module of a trigger may be imported. Raises NotForThePlane for Python's own modules, none of which
    holds a trigger and some of which do something when they are imported."""
    top = classpath.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        raise NotForThePlane(f"the plane asks for a trigger {classpath!r}: {top} is Python's and holds none")


def judge_trigger(classpath: str, found: Any) -> None:
    """Return if what was found under a trigger's name is one. Raises NotForThePlane."""
    from airflow.triggers.base import BaseTrigger

    if not (inspect.isclass(found) and issubclass(found, BaseTrigger)):
        raise NotForThePlane(f"the plane asks for a trigger {classpath!r}: that is no trigger")


def judge_next_methods() -> None:
    """Have the method that a deferred task resumes with judged before it is called, in every process forked from this one.

    The plane keeps its name between the deferral and the resumption. Idempotent.
    """
    from airflow.sdk.bases.operator import BaseOperator

    resume = BaseOperator.resume_execution
    if hasattr(resume, "__wrapped__"):
        return

    @functools.wraps(resume)
    def judged(self: Any, next_method: str, next_kwargs: Any, context: Any) -> Any:
        judge_declaration(next_kwargs)
        judge_next_method(type(self), next_method)
        if isinstance(next_kwargs, dict) and "event" in next_kwargs:
            next_kwargs = {**next_kwargs, "event": boundary.event_of(next_kwargs["event"])}
        return resume(self, next_method, next_kwargs, context)

    BaseOperator.resume_execution = judged


def judge_next_method(operator: type, name: str) -> None:
    """Return if a task of this operator may resume with that method. Raises NotForThePlane.

    Allowed is what the operator's author wrote to be resumed with: a method that is not one of Airflow's BaseOperator, or
    `execute`. Those of BaseOperator do other things with what they are given: `render_template_fields` renders it, and a
    template is code. A method that is not there is let through: Airflow says so in its own words.
    """
    from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, BaseOperator

    if name in (TRIGGER_FAIL_REPR, "execute"):
        return
    found = inspect.getattr_static(operator, name, None)
    if name.startswith("__") or hasattr(BaseOperator, name):
        cause = "it is Airflow's own"
    elif found is not None and not isinstance(found, (staticmethod, classmethod)) and not callable(found):
        cause = "it is no method"
    else:
        return
    raise NotForThePlane(
        f"the plane asks to resume a {operator.__name__} with {name!r}, which it may not have called here: {cause}. A task "
        "resumes with a method of its operator, the one its deferral named"
    )


def connection_tests_are_allowed() -> bool:
    """Whether the site's own configuration says `[core] test_connection = Enabled`, as Airflow asks of its own hosts."""
    from airflow.configuration import conf

    return str(conf.get("core", "test_connection", fallback="Disabled")).strip().lower() == "enabled"


def _configured(path: str) -> bool:
    from airflow.configuration import conf

    patterns = str(conf.get("tradewind", "callbacks", fallback="")).split(",")
    return any(fnmatch.fnmatchcase(path, one.strip()) for one in patterns if one.strip())


def _refusal(path: str, why: str) -> NotForThePlane:
    return NotForThePlane(
        f"the plane asks for a callback {path!r}, which it may not have run here: {why}. {_REMEDY}"
    )


def _is_airflows(module_name: str) -> bool:
    return module_name.partition(".")[0] == "airflow"


def _is_notifier(found: Any) -> bool:
    from airflow.sdk.bases.notifier import BaseNotifier

    return inspect.isclass(found) and issubclass(found, BaseNotifier) and found is not BaseNotifier


def _is_own(module_name: str) -> bool:
    """Whether a module is neither Python's nor installed. One that is not found counts as own: it cannot be imported."""
    top = module_name.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names or top.startswith("tradewind"):
        return False
    try:
        spec = PathFinder.find_spec(top)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return top not in sys.modules or module_name.startswith(IN_DAG_FILE)
    places = (
        [spec.origin] if spec.has_location and spec.origin else list(spec.submodule_search_locations or ())
    )
    return bool(places) and not any(_is_installed(Path(place)) for place in places)


def _is_installed(place: Path) -> bool:
    resolved = place.resolve()
    paths = sysconfig.get_paths()
    roots = {Path(paths[kind]).resolve() for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    return bool(roots & set(resolved.parents)) or bool(
        {"site-packages", "dist-packages"} & set(resolved.parts)
    )


def _defined_in(dag_file: Path, name: str) -> bool:
    """Whether a name of a Dag file is bound by something else than an import. True when the file cannot be read."""
    try:
        tree = ast.parse(dag_file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if node.name == name:
                return True
        elif isinstance(node, ast.Name):
            if node.id == name and isinstance(node.ctx, ast.Store):
                return True
        else:
            waiting.extend(ast.iter_child_nodes(node))
    return False
