"""Words about Dags: what may be said, and that it comes back as it was said."""

from __future__ import annotations

import os
from uuid import UUID

import pytest
from pydantic import ValidationError

from tradewind_protocol import dags, sessions

ONE = UUID(int=1)


@pytest.mark.parametrize(
    "path", ["a.py", "sub/a.py", "packed.zip/inner.py", "with space.py", "ünïcode.py", "..a/b.py"]
)
def test_a_path_inside_a_bundle_is_taken(path: str) -> None:
    assert dags.FileSame(path=path, content="ab").path == path


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a.py", "a/../../b", "./a.py", "a//b", "a\0b", "a\\b", "x" * 1001]
)
def test_a_path_that_leads_out_of_its_bundle_is_not(path: str) -> None:
    with pytest.raises(ValidationError):
        dags.FileSame(path=path, content="ab")
    with pytest.raises(ValidationError):
        dags.Report(instance=ONE, bundle="main", removed=(path,))
    with pytest.raises(ValidationError):
        dags.FileResult(path="a.py", content="ab", import_errors={path: "x"})


def test_a_report_comes_back_as_it_was_sent() -> None:
    sent = dags.Report(
        instance=ONE,
        bundle="main",
        version="abc",
        files=(
            dags.FileResult(
                path="a.py", content="ab", dags=({"dag": {"dag_id": "one"}},), source={"a.py": "x"}
            ),
        ),
        same=(dags.FileSame(path="b.py", content="cd"),),
        removed=("c.py",),
    )
    assert dags.Report.model_validate_json(sent.model_dump_json()) == sent


def test_a_newer_sides_unknown_fields_are_ignored() -> None:
    assert dags.News.model_validate({"granted": [str(ONE)], "of_tomorrow": 1}).granted == (ONE,)


def test_dags_and_source_are_not_in_what_is_logged() -> None:
    result = dags.FileResult(
        path="a.py", content="ab", dags=({"dag": {"x": "PRIVATE"}},), source={"a.py": "PRIVATE"}
    )
    offer = dags.CallbackOffer(id=ONE, bundle="main", request={"conf": "PRIVATE"})
    assert "PRIVATE" not in f"{result!r} {offer!r}"


def test_a_report_of_the_largest_file_fits_into_one_request() -> None:
    assert dags.LARGEST_DAG < dags.LARGEST_FILE
    assert dags.BATCH_BYTES + dags.LARGEST_FILE < sessions.Cadence().largest_body


def test_where_the_plane_says_a_file_is_tells_nothing_of_a_disk() -> None:
    assert dags.neutral_fileloc("main", "sub/a.py") == "/dev/null/main/sub/a.py"


@pytest.mark.parametrize(
    ("bundle", "path"), [("etc", "passwd"), ("../../etc", "passwd"), ("/etc", "passwd"), ("..", "etc/passwd")]
)
def test_a_neutral_place_of_a_file_is_no_file_of_the_planes(bundle: str, path: str) -> None:
    place = dags.neutral_fileloc(bundle, path)
    assert place == "/dev/null/etc/passwd" == os.path.normpath(place)
    with pytest.raises(NotADirectoryError):
        open(place)
