"""Whether an agent may reach a Dag: it has to be one of its site, unless an administrator granted more."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.operator import SiteAccess
from tradewind_protocol.states import AttemptState
from tradewind_provider.airflow import asset_owners, dag_bundles
from tradewind_provider.domain.dag_access import AssetNamed
from tradewind_provider.services import site_grants, work_routes
from tradewind_provider.services.agents import Agent
from tradewind_provider.store.tables import Attempt

_HELD = (AttemptState.OFFERED.value, AttemptState.RUNNING.value)


def require_asset(db: Session, agent: Agent, asset: AssetNamed, access: SiteAccess, *, subject: UUID) -> None:
    """An asset is the site's whose Dag has used it the longest, so that a site cannot take one by naming it.

    Raises Refused NOT_PERMITTED as for a Dag of that site, and for an asset that no Dag uses. An asset that the plane does
    not know passes: Airflow answers that it is not there."""
    for dag_id in asset_owners.owners(db, name=asset.name, uri=asset.uri, alias=asset.alias):
        if dag_id is None:
            raise Refused(
                Code.NOT_PERMITTED,
                f"asset {(asset.name or asset.uri or asset.alias)!r} is used by no Dag of site {agent.site!r}",
                remedy="name it in the schedule, the inlets or the outlets of a Dag of the site",
            )
        require(db, agent, dag_id, access, subject=subject)


def require(db: Session, agent: Agent, dag_id: str, access: SiteAccess, *, subject: UUID) -> bool:
    """Whether the answer is the same for every attempt of the agent: False when `subject` is the reason for it.

    Raises Refused NOT_PERMITTED when the Dag is neither of the agent's site, nor of the bundle of the attempt that
    runs `subject` with this agent, nor of a site that a grant opens. A Dag that the plane does not know passes: Airflow
    answers that it is not there."""
    bundle = dag_bundles.of_dag(db, dag_id)
    if bundle is None:
        return True
    owner = work_routes.site_of(db, bundle)
    if owner == agent.site:
        return True
    # the plane's own Dags run at the sites their queues name, and a bundle may change hands while its tasks run
    runs_it = select(Attempt.id).where(
        Attempt.session_id == agent.session_id,
        Attempt.subject_id == subject,
        Attempt.bundle == bundle,
        Attempt.state.in_(_HELD),
    )
    if db.scalar(runs_it.limit(1)) is not None:
        return False
    if site_grants.allow(db, agent.site, owner, access):
        return True
    raise Refused(
        Code.NOT_PERMITTED,
        f"agent {agent.name!r} of site {agent.site!r} may not {access.value} Dag {dag_id!r} or its runs: it is not a "
        "Dag of this site",
        remedy=site_grants.remedy(agent.site, owner, access),
    )


def require_reader(db: Session, agent: Agent, dag_id: str) -> None:
    """Returns when the Dag's tasks can open what the agent's site has sealed, or the plane does not know the Dag.

    Raises Refused POLICY_REFUSED for a Dag of another site and for one of the plane's own: they would read the sealed form as
    the value."""
    bundle = dag_bundles.of_dag(db, dag_id)
    if bundle is None or work_routes.site_of(db, bundle) == agent.site:
        return
    raise Refused(
        Code.POLICY_REFUSED,
        f"the parameters of a run of Dag {dag_id!r} are sealed with a key of site {agent.site!r}, and the Dag is not of "
        "that site: its tasks could not read them",
        remedy=f"leave the Dag out in the settings of the site's agents: [seal] run_parameters = ['!{dag_id}']",
    )
