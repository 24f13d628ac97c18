"""The configurations of log shippers name the files that an agent writes, and find their place in the path, whichever shipper an owner chooses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
import yaml
from airflow.configuration import conf

FOLDER = Path(__file__).parents[2] / "deploy" / "log-shippers"
LOGS = "/var/lib/tradewind/task-logs"
PLACE = ("dag_id", "run_id", "task_id", "map_index", "try_number")

TASKS = (
    {"dag_id": "orders", "run_id": "manual__2026-03-02T00:00:00+00:00", "task_id": "load", "map_index": -1},
    {"dag_id": "a.b-c", "run_id": "scheduled__x", "task_id": "group.each", "map_index": 12},
)


def logs() -> Iterator[tuple[str, dict[str, str]]]:
    """A path as Airflow's own template makes it, also of the log of a trigger, and the place it names."""
    template = jinja2.Template(conf.get_mandatory_value("logging", "log_filename_template"))
    for task in TASKS:
        path = f"{LOGS}/{template.render(ti=SimpleNamespace(**task, try_number=2), try_number=2)}"
        place = {name: str(value) for name, value in task.items()} | {"try_number": "2"}
        yield path, place
        yield f"{path}.trigger.7.log", place


def loaded(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield str(value)


def patterns(name: str) -> list[str]:
    """The patterns of files that a configuration has the shipper read."""
    if name == "rsyslog.conf":
        return re.findall(r'file="([^"]+)"', (FOLDER / name).read_text())
    found = [each for text in leaves(loaded(name)) for each in text.split(",")]
    return [each for each in found if each.startswith(LOGS)]


def expression(name: str) -> re.Pattern[str]:
    """The expression that finds the place in a path, as Python writes it."""
    [found] = re.findall(r"r?'(/?dag_id=\(.*)'", (FOLDER / name).read_text())
    if name == "fluent-bit.yaml":  # written between slashes
        found = found.removeprefix("/").removesuffix("/")
    return re.compile(found.replace("(?<", "(?P<"))


@pytest.mark.parametrize("file", [each.name for each in sorted(FOLDER.iterdir())])
def test_each_log_is_read_once(file: str) -> None:
    for path, _ in logs():
        # a star stands for no slash in any of the shippers
        fitting = [
            each for each in patterns(file) if each.count("/") == path.count("/") and fnmatchcase(path, each)
        ]
        assert len(fitting) == 1, (path, fitting)


@pytest.mark.parametrize("file", ["fluent-bit.yaml", "otel-collector.yaml", "vector.yaml"])
def test_the_place_is_found_in_each_path(file: str) -> None:
    for path, place in logs():
        match = expression(file).search(path)
        assert match, path
        assert {name: match[name] or "-1" for name in PLACE} == place


@pytest.mark.parametrize("file", [each.name for each in sorted(FOLDER.iterdir())])
def test_each_line_gets_its_place_and_its_agent(file: str) -> None:
    text = (FOLDER / file).read_text()
    for name in (*PLACE, "agent"):
        assert re.search(rf"\b{name}\b", text), name
    assert "TRADEWIND_AGENT" in text


def test_the_collector_has_what_it_names() -> None:
    made = loaded("otel-collector.yaml")
    service = made["service"]
    assert set(service["extensions"]) == made["extensions"].keys()
    [pipeline] = service["pipelines"].values()
    assert (set(pipeline["receivers"]), set(pipeline["exporters"])) == (
        made["receivers"].keys(),
        made["exporters"].keys(),
    )


def test_each_part_of_vector_takes_from_one_that_is_there() -> None:
    made = loaded("vector.yaml")
    sources = made["sources"].keys() | made["transforms"].keys()
    for part in (*made["transforms"].values(), *made["sinks"].values()):
        assert set(part["inputs"]) <= sources


def test_each_filter_and_output_of_fluent_bit_matches_its_input_and_has_its_parser() -> None:
    made = loaded("fluent-bit.yaml")
    [source] = made["pipeline"]["inputs"]
    parts = [*made["pipeline"]["filters"], *made["pipeline"]["outputs"]]
    assert {each["match"] for each in parts} == {source["tag"]}
    wanted = [each for each in parts if each["name"] == "parser"]
    assert {each["parser"] for each in wanted} == {each["name"] for each in made["parsers"]}
    assert [each["key_name"] for each in wanted] == [source["key"], source["path_key"]]
