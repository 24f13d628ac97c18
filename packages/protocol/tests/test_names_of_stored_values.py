"""Names of Dags, runs, tasks and keys become paths in a site's storage: each its own, and none leads out."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tradewind_protocol import boundary, storage
from tradewind_protocol.storage import Reference, StoredKind

ANY = st.text(st.characters(exclude_categories=()), max_size=300)
PLAIN = st.from_regex(r"[A-Za-z0-9_.:+~-]{0,12}", fullmatch=True)
NAME = st.one_of(ANY, PLAIN)
BASE = st.sampled_from(
    [
        "file:///var/lib/tradewind-agent/xcom",
        "s3://conn@bucket/a/b",
        "gs://bucket",
        "abfs://c@account/x y",
        "file:///tmp/tasks/x",
    ]
)
MARK = st.sampled_from(["", "0123456789abcdef"])
COMPRESSION = st.sampled_from(["", ".gz", ".zst"])


@given(NAME)
@example("..").via("dots")
@example(".")
@example("")
@example("a/../b")
@example("\\")
@example("\ufeff")
@example("x" * 100)
@example("x" * 101)
def test_a_segment_is_one_short_file_name(name):
    found = storage.segment(name)
    assert found not in ("", ".", "..")
    assert not found.startswith((".", "-"))
    assert set(found).isdisjoint("/\\?#%*[] \0")
    assert found.isascii() and found.isprintable()
    assert len(found) <= 100
    assert PurePosixPath("base", found).parts == ("base", found)


@given(NAME, NAME)
def test_two_names_never_have_the_same_segment(one, two):
    assert (storage.segment(one) == storage.segment(two)) == (one == two)


@given(NAME)
def test_a_segment_is_no_name_with_that_segment_but_its_own(name):
    """What a hashed name looks like is no plain name: nobody can ask for another's folder by its segment."""
    found = storage.segment(name)
    assert found == name or storage.segment(found) != found


@given(BASE, NAME, NAME, NAME, st.uuids(), MARK, COMPRESSION)
def test_a_reference_is_read_back_as_it_was_made(base, dag, run, task, name, mark, compression):
    made = storage.xcom(
        base, dag_id=dag, run_id=run, task_id=task, name=name.hex, mark=mark, compression=compression
    )
    assert storage.parse(made.text) == made
    assert made.kind is StoredKind.XCOM
    assert PurePosixPath(made.path).parts[:-1] == made.folders
    assert boundary.is_reference(made.text)


@given(BASE, NAME, NAME, NAME, st.integers(-1, 2000), NAME, MARK, COMPRESSION)
def test_a_reference_to_state_is_read_back_as_it_was_made(
    base, dag, run, task, index, key, mark, compression
):
    made = storage.task_state(
        base,
        dag_id=dag,
        run_id=run,
        task_id=task,
        map_index=index,
        key=key,
        mark=mark,
        compression=compression,
    )
    assert storage.parse(made.text) == made
    other = storage.asset_state(base, asset=dag, key=key, mark=mark, compression=compression)
    assert storage.parse(other.text) == other


TASK = st.tuples(NAME, NAME, NAME, st.integers(-1, 5), NAME)


@given(TASK, TASK)
def test_two_keys_of_state_never_share_a_file(one, two):
    def path(dag: str, run: str, task: str, index: int, key: str) -> str:
        return storage.task_state(
            "s3://b", dag_id=dag, run_id=run, task_id=task, map_index=index, key=key
        ).path

    assert (path(*one) == path(*two)) == (one == two)


@given(
    st.one_of(
        ANY, st.from_regex(r"[a-z0-9]+://[a-z0-9./~_-]{0,60}(\.[0-9a-f]{16})?\.tradewind-(xcom|state)(\.gz)?")
    )
)
def test_what_is_read_as_a_reference_never_leads_out(text):
    found = storage.parse(text)
    if found is not None:
        assert found.text == text
        assert ".." not in found.path.split("/")
        assert all(storage.segment(each) == each or "~" in each for each in found.folders)


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/key",
        "s3://bucket/d/r/t/2f6b1f0e-3f65-4f3e-9d5f-0d0c5d2c6f11",
        "file:///x/../d/r/../" + "0" * 32 + ".tradewind-xcom",
        "file:///x/d/r/.hidden/" + "0" * 32 + ".tradewind-xcom",
        "file:///" + "0" * 32 + ".tradewind-xcom",
        "/x/d/r/t/" + "0" * 32 + ".tradewind-xcom",
        "file:///x/d/r/t/" + "0" * 32 + ".tradewind-xcom?sig=x",
        "file:///x/d/r/t/" + "0" * 32 + ".tradewind-xcom\n",
        "see file:///x/d/r/t/" + "0" * 32 + ".tradewind-xcom",
        ".tradewind-xcom",
        5,
        None,
    ],
)
def test_other_values_are_no_references(text):
    assert storage.parse(text) is None


def test_the_form_of_a_reference_stays():
    """Values outlive releases: what was written under the first release is read under every later one."""
    assert storage.parse(
        "file:///var/lib/tradewind-agent/xcom/etl/manual__2025-01-01T00:00:00+00:00/load/"
        "00112233445566778899aabbccddeeff.0123456789abcdef.tradewind-xcom.gz"
    ) == Reference(
        "file:///var/lib/tradewind-agent/xcom",
        ("etl", "manual__2025-01-01T00:00:00+00:00", "load"),
        "00112233445566778899aabbccddeeff",
        StoredKind.XCOM,
        "0123456789abcdef",
        ".gz",
    )
    assert storage.segment("żółw i kot") == "_w_i_kot~db1a76efe9180114a385bd3eed88e7c7880a1776"
