"""The sync state: what a dag processor sends, given what the plane holds. No time, no network, no Airflow."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from tradewind_protocol import boundary, dags
from tradewind_protocol.dags import Role
from tradewind_protocol.errors import Code, Refusal
from tradewind_runtime.dags import bundles, config, results
from tradewind_runtime.dags.results import ParsedDag, Sized
from tradewind_runtime.dags.sync_state import SyncState


def sync_state(*held: tuple[str, str, str | None], role: Role = Role.SPEAKS) -> SyncState:
    one = SyncState(UUID(int=1), [dags.BundleClaim(name="main")])
    files = tuple(
        dags.HeldFile(path=path, content=content, version=version) for path, content, version in held
    )
    one.claimed(dags.Claimed(bundles=(dags.BundleClaimed(name="main", role=role, mark="m0", files=files),)))
    return one


def result(path: str, content: str = "ab", size: int = 100) -> Sized:
    return Sized(dags.FileResult(path=path, content=content), size)


def sent(one: SyncState) -> dags.Report | None:
    return one.next_report(0)


def accept(one: SyncState, report: dags.Report, mark: str = "m1") -> None:
    paths = [file.path for file in (*report.files, *report.same)] + list(report.removed)
    before = one.marks()["main"]
    one.reported(report, dags.Reported(mark=mark, before=before, stored=tuple(paths)))


def test_what_the_plane_holds_is_not_sent() -> None:
    one = sync_state(("a.py", "ab", None))
    one.parsed("main", result("a.py"))
    assert sent(one) is None
    one.parsed("main", result("a.py", "cd"))
    report = sent(one)
    assert report is not None
    accept(one, report)
    one.parsed("main", result("a.py", "cd"))
    assert sent(one) is None


def test_refreshes_that_find_nothing_new_are_told_once_a_minute() -> None:
    one, start = sync_state(("a.py", "ab", "v1")), datetime(2026, 1, 1, tzinfo=timezone.utc)
    told = []
    for second, version in [
        (0, "v1"),
        (1, "v1"),
        (59, "v1"),
        (60, "v1"),
        (61, "v2"),
        (62, "v2"),
        (121, "v2"),
    ]:
        one.refreshed("main", at=start + timedelta(seconds=second), version=version)
        if (report := sent(one)) is not None:
            told.append(second)
            accept(one, report)
    assert told == [0, 60, 61, 121]


def test_only_the_latest_result_of_a_file_waits() -> None:
    one = sync_state()
    for content in ("01", "02", "03"):
        one.parsed("main", result("a.py", content))
    report = sent(one)
    assert report is not None
    assert [file.content for file in report.files] == ["03"]
    assert sent(one) is None


def test_a_result_that_went_back_to_what_is_held_is_not_sent_at_all() -> None:
    one = sync_state(("a.py", "ab", None))
    one.parsed("main", result("a.py", "cd"))
    one.parsed("main", result("a.py", "ab"))
    assert sent(one) is None


def test_a_report_that_failed_is_sent_again_but_not_what_was_superseded() -> None:
    one = sync_state(("gone.py", "ab", None))
    one.present("main", {"a.py", "b.py"})
    one.parsed("main", result("a.py", "01"))
    one.parsed("main", result("b.py", "01"))
    report = sent(one)
    assert report is not None
    one.parsed("main", result("a.py", "02"))
    one.failed(report, again=True)
    again = sent(one)
    assert again is not None
    assert {file.path: file.content for file in again.files} == {"a.py": "02", "b.py": "01"}
    assert again.removed == ("gone.py",)


def test_large_results_travel_in_several_reports() -> None:
    one = sync_state()
    for name in "abc":
        one.parsed("main", result(f"{name}.py", size=dags.BATCH_BYTES - 1000))
    reports = [report for _ in range(3) if (report := sent(one)) is not None]
    assert [len(report.files) for report in reports] == [1, 1, 1]


def test_what_the_plane_wants_again_is_parsed_again() -> None:
    one = sync_state()
    one.parsed("main", result("a.py"))
    report = sent(one)
    assert report is not None
    one.reported(report, dags.Reported(mark="m1", stored=("a.py",), resend=("b.py",)))
    assert one.take_reparse() == {("main", "b.py")}
    assert one.take_reparse() == set()


def test_after_a_claim_files_the_plane_does_not_hold_as_parsed_are_parsed_again() -> None:
    one = sync_state()
    for name in ("a.py", "b.py"):
        one.parsed("main", result(name))
    report = sent(one)
    assert report is not None
    accept(one, report)
    held = (dags.HeldFile(path="a.py", content="ab"), dags.HeldFile(path="b.py", content=""))
    one.claimed(
        dags.Claimed(bundles=(dags.BundleClaimed(name="main", role=Role.SPEAKS, mark="m9", files=held),))
    )
    assert one.take_reparse() == {("main", "b.py")}


def test_a_refused_file_is_sent_again_once_it_changes() -> None:
    one = sync_state()
    one.parsed("main", result("a.py", "01"))
    report = sent(one)
    assert report is not None
    refusal = Refusal(error=Code.MALFORMED, message="no")
    one.reported(report, dags.Reported(mark="m1", refused=(dags.FileRefused(path="a.py", refusal=refusal),)))
    one.parsed("main", result("a.py", "01"))
    assert sent(one) is None
    one.parsed("main", result("a.py", "02"))
    assert sent(one) is not None


def test_a_zip_archive_that_is_there_keeps_its_members() -> None:
    one = sync_state(("packed.zip/inner.py", "", None), ("gone.zip/inner.py", "", None))
    one.present("main", {"packed.zip"})
    report = sent(one)
    assert report is not None
    assert report.removed == ("gone.zip/inner.py",)


def test_whoever_stands_by_sends_nothing() -> None:
    one = sync_state(role=Role.STANDS_BY)
    one.parsed("main", result("a.py"))
    assert sent(one) is None
    assert one.marks() == {"main": ""}


def test_a_mark_that_differs_through_our_own_report_is_no_reason_to_claim_again() -> None:
    one = sync_state()
    marks = one.marks()
    assert not one.believes(marks, ["main"])
    one.parsed("main", result("a.py"))
    report = sent(one)
    assert report is not None
    assert one.believes(marks, ["main"])  # it is under way: the plane may have stored it
    accept(one, report, mark="m1")
    assert one.believes(marks, ["main"])
    assert not one.believes(one.marks(), ["main"])


def test_a_report_does_not_hide_that_the_plane_was_restored_from_a_backup() -> None:
    one = sync_state()
    one.parsed("main", result("a.py"))
    report = sent(one)
    assert report is not None
    one.reported(report, dags.Reported(mark="m1", before="of the backup", stored=("a.py",)))
    assert one.marks() == {"main": "m0"}
    assert not one.believes(one.marks(), ["main"])


# ---- results


def serialized(dag_id: str = "one", **more: Any) -> ParsedDag:
    return ParsedDag(
        {
            "__version": 3,
            "dag": {"dag_id": dag_id, "relative_fileloc": "a.py", "fileloc": "/site/a.py", **more},
        },
        "h",
    )


def built(**changes: Any) -> results.Sized:
    whole: dict[str, Any] = {
        "bundle": "main",
        "path": "a.py",
        "parsed": [serialized()],
        "import_errors": {},
        **changes,
    }
    return results.build(**whole)


def test_equal_parses_have_equal_content_wherever_the_file_lies() -> None:
    here = built(seconds=1.0)
    there = built(parsed=[serialized(fileloc="/elsewhere/a.py")], seconds=2.0)
    assert here.result.content == there.result.content
    assert here.result.dags[0]["dag"]["fileloc"] == "/dev/null/main/a.py"
    assert built(parsed=[ParsedDag(serialized().data, "other")]).result.content != here.result.content
    assert built(import_errors={"a.py": "x"}).result.content != here.result.content
    assert built(source={"a.py": "x"}).result.content != here.result.content


def test_a_dag_too_large_to_travel_becomes_an_import_error_and_its_neighbours_travel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dags, "LARGEST_DAG", 500)
    told = built(parsed=[serialized(), serialized("big", doc_md="x" * 1000)]).result
    assert [dag["dag"]["dag_id"] for dag in told.dags] == ["one"]
    assert "'big'" in told.import_errors["a.py"]


def test_a_file_too_large_with_its_source_travels_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dags, "LARGEST_FILE", 1000)
    assert built(source={"a.py": "x" * 2000}).result.source is None
    many = built(parsed=[serialized(str(n)) for n in range(50)]).result
    assert not many.dags
    assert "Split the file" in many.import_errors["a.py"]


TRACEBACK = """Traceback (most recent call last):
  File "/site/dags/a.py", line 3, in <module>
    password = ask("PRIVATE")
               ^^^^^^^^^^^^^^
  File "/site/dags/b.py", line 1, in ask
    raise ValueError(
KeyError: 'what went wrong'
"""


def test_a_traceback_keeps_its_frames_and_its_end_but_no_code() -> None:
    told = results.without_site(boundary.without_source(TRACEBACK), bundle="main", bundle_path="/site/dags")
    assert told.splitlines() == [
        "Traceback (most recent call last):",
        '  File "/main/a.py", line 3, in <module>',
        '  File "/main/b.py", line 1, in ask',
        "KeyError: 'what went wrong'",
    ]


# ---- bundles and options


class FakeBundle:
    def __init__(self, *, versioned: bool = True, template: str | None = None, **facts: Any) -> None:
        self.name = "main"
        self.supports_versioning = versioned
        self._template = template
        for name, value in facts.items():
            setattr(self, name, value)

    def view_url_template(self) -> str | None:
        return self._template


def test_a_link_with_a_token_in_it_is_not_claimed() -> None:
    assert bundles.claim(FakeBundle(template="https://u:t@git.example/{version}")).view_url_template is None
    kept = bundles.claim(FakeBundle(template="https://git.example/{subdir}/{version}", subdir="dags"))
    assert kept.template_params == {"subdir": "dags"}


def test_a_bundle_whose_name_cannot_travel_says_so() -> None:
    bundle = FakeBundle()
    bundle.name = "two\nlines"
    with pytest.raises(ValueError, match="cannot be claimed"):
        bundles.claim(bundle)


def test_options_become_airflows_configuration() -> None:
    environ: dict[str, str] = {config.EXECUTOR: "Mine"}
    config.apply({"bundles": '[{"name": "x"}]'}, environ)
    assert environ == {config.BUNDLES: '[{"name": "x"}]', config.EXECUTOR: "Mine"}
    config.apply({"executors": ["A", "B"]}, environ)
    assert environ[config.EXECUTOR] == "A,B"
    with pytest.raises(ValueError, match="not a list"):
        config.apply({"bundles": "{}"}, environ)


def test_what_the_plane_refuses_is_a_finding_until_it_is_taken() -> None:
    one = sync_state()
    assert one.findings() == ()
    one.parsed("main", result("a.py", "01"))
    report = sent(one)
    assert report is not None
    refused = dags.FileRefused(
        path="a.py", dag_id="mine", refusal=Refusal(error=Code.MALFORMED, message="no Dag", remedy="mend it")
    )
    one.reported(report, dags.Reported(mark="m1", stored=("a.py",), refused=(refused,)))
    [finding] = one.findings()
    assert (finding.check, finding.remedy) == ("dags:main", "mend it")
    assert finding.message == "The plane refused Dag 'mine' of a.py in bundle main: no Dag"
    one.parsed("main", result("a.py", "02"))
    again = sent(one)
    assert again is not None
    accept(one, again)
    assert one.findings() == ()


def test_a_file_too_large_for_the_way_is_a_finding_until_it_is_gone() -> None:
    one = sync_state()
    one.parsed("main", result("a.py", "01"))
    report = sent(one)
    assert report is not None
    one.failed(
        report, again=False, refusal=Refusal(error=Code.TOO_LARGE, message="413", remedy="let it pass")
    )
    assert [each.remedy for each in one.findings()] == ["let it pass"]
    one.present("main", set())
    assert one.findings() == ()


def test_a_bundle_of_another_site_is_a_finding() -> None:
    one = sync_state()
    refusal = Refusal(error=Code.BUNDLE_NOT_YOURS, message="it is another's", remedy="name it differently")
    told = dags.BundleClaimed(name="main", role=Role.REFUSED, refusal=refusal)
    one.claimed(dags.Claimed(bundles=(told,)))
    [finding] = one.findings()
    assert (finding.check, finding.message, finding.remedy) == (
        "bundle:main",
        "it is another's",
        "name it differently",
    )
    one.claimed(dags.Claimed(bundles=(dags.BundleClaimed(name="main", role=Role.SPEAKS, mark="m"),)))
    assert one.findings() == ()


def test_many_refused_files_are_counted_rather_than_named() -> None:
    one = sync_state()
    for number in range(30):
        one.parsed("main", result(f"{number}.py", "01"))
    report = sent(one)
    assert report is not None
    one.failed(report, again=False, refusal=Refusal(error=Code.MALFORMED, message="no"))
    assert len(one.findings()) == 21
    assert one.findings()[-1].message == "10 more files are refused"


def test_another_agents_key_is_a_finding_with_a_remedy() -> None:
    one = SyncState(UUID(int=1), [dags.BundleClaim(name="main")], key="print")
    assert one.claim().key == "print"
    told = dags.BundleClaimed(name="main", role=Role.STANDS_BY, another_key="eu-1")
    one.claimed(dags.Claimed(bundles=(told,)))
    [found] = one.findings()
    assert found.check == "site_key:main"
    assert "agent eu-1" in found.message
    assert "site_key_file" in found.remedy
    one.claimed(dags.Claimed(bundles=(told.model_copy(update={"another_key": ""}),)))
    assert one.findings() == ()


def test_the_hash_of_a_files_result_tells_nothing_without_the_key() -> None:
    def content(key: bytes) -> str:
        made = results.build(bundle="main", path="etl.py", parsed=[], import_errors={"etl.py": "x"}, key=key)
        return made.result.content

    assert content(b"one") == content(b"one")
    assert len({content(b"one"), content(b"another"), content(b"")}) == 3
