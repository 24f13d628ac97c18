"""A Dag id belongs to one bundle and one file, until it is free."""

from __future__ import annotations

from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import delete, select, update

from tradewind_protocol import dags as wire
from tradewind_provider.airflow.database import create_session

from .conftest import Clock, Parsed, Site
from .reported import dag, errors, tasks, text


def test_a_dag_keeps_its_id_while_a_dag_processor_of_the_plane_has_its_bundle_inactive(
    site: Site, clock: Clock, parsed: Parsed
) -> None:
    """Airflow makes every bundle inactive that its own configuration does not name, at each start of a dag processor. A
    hostile agent beside two sites took a Dag in that moment."""
    intruder = Site(clock, "evil-1", site="evil")
    site.claim("main")
    intruder.claim("theirs")
    site.report(files=(parsed("one.py", text()),))
    with create_session() as db:
        db.execute(update(DagBundleModel).where(DagBundleModel.name == "main").values(active=False))
    intruder.report("theirs", files=(parsed("copy.py", text(task_id="stolen"), bundle="theirs"),))
    assert dag().bundle_name == "main"
    assert tasks() == ["a"]
    assert "belongs to one.py of bundle 'main'" in errors()["copy.py"]


def test_a_dag_id_of_another_bundle_is_not_taken_until_it_is_free(
    site: Site, clock: Clock, parsed: Parsed
) -> None:
    other = Site(clock, "us-1")
    site.claim("main")
    other.claim("theirs")
    site.report(files=(parsed("one.py", text()),))
    file = parsed("copy.py", text(task_id="stolen"), bundle="theirs")
    told = other.report("theirs", files=(file,))
    assert "copy.py" in told.stored
    assert dag().bundle_name == "main"
    assert tasks() == ["a"]
    assert "belongs to one.py of bundle 'main'" in errors()["copy.py"]
    site.report(removed=("one.py",))
    assert other.watch().claim == ("theirs",)
    held = other.claim("theirs").bundles[0].files
    assert [(one.path, one.content) for one in held] == [("copy.py", "")]
    other.report("theirs", files=(file,))
    assert dag().bundle_name == "theirs"
    assert errors() == {}


def test_two_files_with_one_dag_id_do_not_take_it_from_each_other(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    first, second = parsed("a.py", text(task_id="a")), parsed("b.py", text(task_id="b"))
    site.report(files=(first, second))
    assert tasks() == ["a"]
    assert "Dag id 'one' belongs to a.py of this bundle" in errors()["b.py"]
    told = site.report(files=(parsed("a.py", text("renamed")),))
    assert told.resend == ("b.py",)
    site.report(files=(second,))
    assert tasks() == ["b"]
    assert errors() == {}


def test_another_commit_with_the_same_dags_moves_them_without_sending_them(
    site: Site, parsed: Parsed
) -> None:
    site.claim("main", versioned=True)
    file = parsed("one.py", text())
    site.report(files=(file,), version="first")
    told = site.report(same=(wire.FileSame(path="one.py", content=file.content),), version="second")
    assert told.stored == ("one.py",)
    assert dag().bundle_version == "second"
    with create_session() as db:
        assert db.scalars(select(DagVersion.bundle_version)).all() == ["second"]
    other = site.report(same=(wire.FileSame(path="one.py", content="ab"),), version="third")
    assert other.resend == ("one.py",)
    assert dag().bundle_version == "second"


def test_a_dag_somebody_deleted_is_asked_for_again(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    site.report(files=(parsed("one.py", text()), parsed("two.py", text("two"))))
    assert site.watch().claim == ()
    with create_session() as db:
        db.execute(delete(SerializedDagModel).where(SerializedDagModel.dag_id == "one"))
        db.execute(delete(DagModel).where(DagModel.dag_id == "one"))
    assert site.watch().claim == ("main",)
    held = {one.path: one.content for one in site.claim("main").bundles[0].files}
    assert held["one.py"] == ""
    assert held["two.py"]
