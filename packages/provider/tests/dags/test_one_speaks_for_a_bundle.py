"""Which agent leads a bundle, which are on standby or refused; and what the leader is given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from airflow.callbacks.callback_requests import DagCallbackRequest
from airflow.callbacks.database_callback_sink import DatabaseCallbackSink
from airflow.jobs.dag_processor_job_runner import DagProcessorJobRunner
from airflow.jobs.job import Job
from airflow.models.callback import Callback
from airflow.models.dag import DagModel
from airflow.models.dagbag import DagPriorityParsingRequest
from airflow.models.dagbundle import DagBundleModel
from fastapi import FastAPI
from sqlalchemy import func, select

from tradewind_protocol import dags as wire
from tradewind_protocol.dags import Role
from tradewind_protocol.errors import Code, Refused
from tradewind_provider import notifications
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api import problems
from tradewind_provider.api.agent import dags
from tradewind_provider.composition import compose
from tradewind_provider.services.dags.bundles import release
from tradewind_provider.settings import Settings
from tradewind_provider.store.dag_tables import DagCallbackGrant
from tradewind_provider.store.tables import AgentToken, Event

from .conftest import Clock, Parsed, Site
from .reported import dag, text


def roles(told: wire.Claimed) -> list[Role]:
    return [one.role for one in told.bundles]


def test_one_agent_of_a_site_speaks_and_the_other_takes_over_when_it_is_lost(
    clock: Clock, site: Site, parsed: Parsed
) -> None:
    second = Site(clock, "eu-2", token_id=site.token_id)
    assert roles(site.claim("main")) == [Role.SPEAKS]
    assert roles(second.claim("main")) == [Role.STANDS_BY]
    file = parsed("one.py", text())
    site.report(files=(file,))
    assert second.watch().claim == ()
    with pytest.raises(Refused) as refused:
        second.report(files=(file,))
    assert refused.value.code is Code.BUNDLE_NOT_YOURS
    site.ends()
    assert second.watch().claim == ("main",)
    told = second.claim("main")
    assert roles(told) == [Role.SPEAKS]
    assert [(one.path, one.content) for one in told.bundles[0].files] == [("one.py", file.content)]
    with pytest.raises(Refused):
        site.report(files=(file,))


def test_an_agent_with_another_key_than_its_sites_is_told_before_it_takes_over(
    clock: Clock, site: Site
) -> None:
    second = Site(clock, "eu-2", token_id=site.token_id)
    assert site.claim("main", key="one").bundles[0].another_key == ""
    assert second.claim("main", key="one").bundles[0].another_key == ""
    told = second.claim("main", key="another").bundles[0]
    assert (told.role, told.another_key) == (Role.STANDS_BY, "eu-1")
    assert site.claim("main", key="changed").bundles[0].another_key == ""
    site.ends()
    told = second.claim("main", key="another").bundles[0]
    assert (told.role, told.another_key) == (Role.SPEAKS, "eu-1")
    assert second.claim("main", key="another").bundles[0].another_key == ""


def test_another_site_is_refused_and_told_why(clock: Clock, site: Site) -> None:
    stranger = Site(clock, "us-1", site="us")
    site.claim("main")
    told = stranger.claim("main").bundles[0]
    assert told.role is Role.REFUSED
    assert told.refusal is not None
    assert told.refusal.error is Code.BUNDLE_NOT_YOURS
    assert "belongs to site 'default' (agent 'eu-1')" in told.refusal.message
    assert "release" in told.refusal.remedy
    site.ends()  # its site is away, not gone
    assert roles(stranger.claim("main")) == [Role.REFUSED]
    with create_session() as db:
        assert db.scalar(select(func.count()).where(Event.action == "bundle_refused")) == 2
        assert release(db, "main", actor="ada", reason="moved", now=clock())
    assert roles(stranger.claim("main")) == [Role.SPEAKS]


def test_a_bundle_stays_its_sites_when_the_sites_tokens_are_gone_until_it_is_released(
    clock: Clock, site: Site
) -> None:
    stranger = Site(clock, "us-1", site="us")
    site.claim("main")
    with create_session() as db:
        token = db.get(AgentToken, site.token_id)
        assert token is not None
        token.deleted_at = clock()
    site.ends()
    assert roles(stranger.claim("main")) == [Role.REFUSED]
    assert roles(Site(clock, "eu-2").claim("main")) == [Role.SPEAKS]


def test_agents_of_one_site_share_its_bundles_whichever_of_its_tokens_they_have(
    clock: Clock, site: Site
) -> None:
    second = Site(clock, "eu-2")
    assert second.token_id != site.token_id
    site.claim("main")
    assert roles(second.claim("main")) == [Role.STANDS_BY]


def test_what_an_agent_says_of_its_source_gives_it_no_bundle_of_another_site(
    clock: Clock, site: Site
) -> None:
    site.claim("main", fingerprint="f" * 64)
    site.ends()
    stranger = Site(clock, "us-1", site="us")
    assert roles(stranger.claim("main", fingerprint="f" * 64)) == [Role.REFUSED]


def test_no_agent_gets_a_bundle_that_the_planes_configuration_names(clock: Clock, site: Site) -> None:
    told = site.claim("dags-folder", "main")  # the first is the one bundle of Airflow's default configuration
    assert roles(told) == [Role.REFUSED, Role.SPEAKS]
    assert told.bundles[0].refusal is not None
    assert "one of the orchestration plane's own" in told.bundles[0].refusal.message
    with create_session() as db, pytest.raises(Refused, match="dag_bundle_config_list names it"):
        release(db, "dags-folder", actor="ada", reason="", now=clock())


def test_no_agent_gets_a_bundle_that_the_planes_dag_processor_made(clock: Clock, site: Site) -> None:
    with create_session() as db:
        db.add(DagBundleModel(name="own"))
    assert roles(site.claim("own")) == [Role.REFUSED]
    with create_session() as db:
        assert release(db, "own", actor="ada", reason="it moves to the site", now=clock())
    assert roles(site.claim("own")) == [Role.SPEAKS]


def test_a_restarted_dag_processor_speaks_at_once_and_its_former_self_does_not(
    site: Site, parsed: Parsed
) -> None:
    site.claim("main")
    former = site.instance
    site.instance = uuid4()
    assert roles(site.claim("main")) == [Role.SPEAKS]
    site.instance = former
    with pytest.raises(Refused):
        site.report(files=(parsed("one.py", text()),))


def test_a_bundle_its_agent_does_not_have_any_more_is_retired(site: Site, parsed: Parsed) -> None:
    site.claim("main", "other")
    site.report(files=(parsed("one.py", text()),))
    site.claim("other")
    assert dag().is_stale
    with create_session() as db:
        active = dict(db.execute(select(DagBundleModel.name, DagBundleModel.active)).all())  # type: ignore[arg-type]
    assert active == {"main": False, "other": True}
    site.claim("main", "other")
    site.report(files=(parsed("one.py", text()),))
    assert not dag().is_stale


def test_a_bundle_that_cannot_be_made_just_now_keeps_its_dags(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    site.report(files=(parsed("one.py", text()),))
    site.instance = uuid4()
    site.claim(kept=("main",))
    assert not dag().is_stale


def test_dags_airflow_had_of_the_bundle_before_are_named_to_whoever_claims_it(site: Site) -> None:
    with create_session() as db:
        db.add(DagBundleModel(name="main"))
        db.flush()
        db.add(
            DagModel(
                dag_id="old",
                bundle_name="main",
                fileloc="/x/old.py",
                relative_fileloc="old.py",
                is_stale=False,
            )
        )
        db.get(DagBundleModel, "main").active = False  # type: ignore[union-attr]  # the plane's until now
    told = site.claim("main").bundles[0]
    assert [(one.path, one.content) for one in told.files] == [("old.py", "")]
    site.report(removed=("old.py",))
    assert dag("old").is_stale


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("https://git.example/{subdir}/tree/{version}", "https://git.example/dags/tree/abc"),
        ("javascript:alert(1)", None),
        ("https://{version}.evil/", None),
        ("https://u:p@git.example/{version}", None),
        ("https://git.example/{version.__class__}", None),
        ("https://git.example/{version:>999999999}", None),
    ],
)
def test_a_link_to_the_source_is_shown_only_when_it_is_plain(
    site: Site, template: str, shown: str | None
) -> None:
    site.claim("main", view_url_template=template, template_params={"subdir": "dags"})
    with create_session() as db:
        row = db.get(DagBundleModel, "main")
        assert row is not None
        assert row.render_url("abc") == shown


def test_airflows_health_page_sees_a_dag_processor_while_an_agent_has_one(site: Site) -> None:
    site.claim("main")
    job = DagProcessorJobRunner.job_type

    def alive() -> bool:
        with create_session() as db:
            row = db.scalar(select(Job).where(Job.job_type == job).order_by(Job.id.desc()))
            return row is not None and row.is_alive()

    assert alive()
    site.ends()
    assert not alive()


def ask_for(path: str, bundle: str = "main") -> None:
    with create_session() as db:
        db.add(DagPriorityParsingRequest(bundle_name=bundle, relative_fileloc=path))


def test_a_file_somebody_wants_parsed_is_asked_for_until_it_was_heard(site: Site) -> None:
    site.claim("main")
    ask_for("one.py")
    ask_for("two.py", "of-nobody")
    asked = site.watch().parse
    assert [(one.bundle, one.path) for one in asked] == [("main", "one.py")]
    assert site.watch().parse == asked  # the first answer was lost
    assert site.watch(parsing=(asked[0].id,)).parse == ()
    ask_for("one.py")
    assert len(site.watch().parse) == 1


def call_back(bundle: str = "main", run_id: str = "r1") -> None:
    request = DagCallbackRequest(
        filepath="one.py", bundle_name=bundle, bundle_version="abc", dag_id="one", run_id=run_id, msg="failed"
    )
    with create_session() as db:
        DatabaseCallbackSink().send(request, session=db)


def test_a_callback_is_granted_once_and_a_lost_answer_loses_nothing(clock: Clock, site: Site) -> None:
    second = Site(clock, "eu-2", token_id=site.token_id)
    site.claim("main")
    second.claim("main")
    call_back()
    call_back("of-nobody")
    (offer,) = site.watch().callbacks
    assert offer.request["type"] == "DagCallbackRequest"
    assert offer.request["run_id"] == "r1"
    assert second.watch(confirm=(offer.id,)).granted == ()
    assert site.watch(confirm=(offer.id,)).granted == (offer.id,)
    assert site.watch(confirm=(offer.id,)).granted == (offer.id,)  # asked again after a lost answer
    assert site.watch().callbacks == ()
    site.watch(done=(offer.id,))
    with create_session() as db:
        assert db.scalar(select(DagCallbackGrant)) is None
        assert db.scalar(select(func.count()).select_from(Callback)) == 1
    assert site.watch(confirm=(offer.id,)).granted == ()


def test_a_callback_that_was_only_offered_goes_to_whoever_speaks_next(clock: Clock, site: Site) -> None:
    second = Site(clock, "eu-2", token_id=site.token_id)
    site.claim("main")
    call_back()
    (offer,) = site.watch().callbacks
    site.ends()
    second.claim("main")
    assert site.watch(confirm=(offer.id,)).granted == ()
    assert second.watch().callbacks == (offer,)


def test_a_granted_callback_of_a_lost_dag_processor_is_not_repeated_but_noted(
    clock: Clock, site: Site
) -> None:
    second = Site(clock, "eu-2", token_id=site.token_id)
    site.claim("main")
    call_back()
    (offer,) = site.watch().callbacks
    site.watch(confirm=(offer.id,))
    site.ends()
    second.claim("main")
    assert second.watch().callbacks == ()
    with create_session() as db:
        reason = db.scalar(select(Event.reason).where(Event.action == "callback_lost"))
    assert reason is not None
    assert "DagCallbackRequest of one [r1]" in reason


# ---- over HTTP


async def over_http(site: Site, clock: Clock, hub: notifications.Hub | None = None) -> httpx.AsyncClient:
    app = FastAPI()
    app.state.plane = replace(compose(Settings(), clock=clock), hub=hub or notifications.Hub())
    problems.install(app)
    app.include_router(dags.router, prefix="/v1")
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://plane/v1",
        headers={"Authorization": f"Bearer {site.secret}"},
    )


async def ask(client: httpx.AsyncClient, path: str, message: Any) -> httpx.Response:
    return await client.post(
        path, content=message.model_dump_json(), headers={"Content-Type": "application/json"}, timeout=30
    )


@pytest.mark.parametrize("what", ["parse", "callback", "takeover"])
async def test_a_watch_is_answered_as_soon_as_there_is_news(clock: Clock, site: Site, what: str) -> None:
    """No wait of a fixed length: the transaction that makes the news wakes the watch."""
    second = Site(clock, "eu-2", token_id=site.token_id)
    site.claim("main")
    second.claim("main")
    watcher = second if what == "takeover" else site
    hub = notifications.Hub()
    async with await over_http(watcher, clock, hub) as client, hub.receiving():
        watch = wire.Watch(instance=watcher.instance, marks=watcher.marks, hold=25)
        waiting = asyncio.create_task(ask(client, wire.WATCH, watch))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        loop = asyncio.get_running_loop()
        started = loop.time()
        await loop.run_in_executor(
            None, {"parse": lambda: ask_for("one.py"), "callback": call_back, "takeover": site.ends}[what]
        )
        news = wire.News.model_validate_json((await asyncio.wait_for(waiting, 10)).content)
        assert loop.time() - started < 2
    assert bool(news.parse) == (what == "parse")
    assert bool(news.callbacks) == (what == "callback")
    assert bool(news.claim) == (what == "takeover")


async def test_a_watch_without_news_ends_when_it_was_told_to(clock: Clock, site: Site) -> None:
    site.claim("main")
    async with await over_http(site, clock) as client:
        watch = wire.Watch(instance=site.instance, marks=site.marks, hold=0.3)
        assert (await ask(client, wire.WATCH, watch)).json() == wire.News().model_dump(mode="json")


async def test_claim_and_report_over_http(clock: Clock, site: Site, parsed: Parsed) -> None:
    async with await over_http(site, clock) as client:
        claim = wire.Claim(instance=site.instance, bundles=(wire.BundleClaim(name="main"),))
        told = wire.Claimed.model_validate_json((await ask(client, wire.CLAIM, claim)).content)
        assert roles(told) == [Role.SPEAKS]
        report = wire.Report(instance=site.instance, bundle="main", files=(parsed("one.py", text()),))
        stored = wire.Reported.model_validate_json((await ask(client, wire.REPORT, report)).content)
    assert stored.stored == ("one.py",)
    assert dag().dag_id == "one"
