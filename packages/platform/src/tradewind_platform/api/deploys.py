"""Code of a Deployment's own: archives that are sent, deploys, roll-backs and their history."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any, Final

import anyio.to_thread
from fastapi import APIRouter, Path, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import caller_of, platform_of
from tradewind_platform.api.parameters import Limit, Offset, Reason, Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.api.resources import page
from tradewind_platform.services import code_archives, code_rollback, deploy_history, deploys
from tradewind_protocol import plane_archives
from tradewind_protocol.deploys import ArchiveView, DeployView, NewDeploy, RollBack
from tradewind_protocol.errors import Code, Refusal, Refused
from tradewind_protocol.operator import Page
from tradewind_protocol.plane_archives import BadArchive, PlaneArchive
from tradewind_protocol.platform import OperationView

router = APIRouter()

_Digest = Annotated[str, Path(pattern=r"^sha256:[0-9a-f]{64}$", description="Of the archive's files.")]
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {plane_archives.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_TOO_LARGE: Final[dict[int | str, dict[str, Any]]] = {
    413: {"model": Refusal, "description": "The archive is larger than one may be"},
}


@router.put(
    "/deployments/{deployment}/archives/{digest}",
    response_model=ArchiveView,
    responses=_TOO_LARGE,
    openapi_extra=_BODY,
)
async def keep_archive(
    request: Request, deployment: Reference, digest: _Digest, reason: Reason = ""
) -> Response:
    """Keep an archive of a plane for deploys to this Deployment. It is checked file by file, and not trusted."""
    received = await _received(request, deployment)
    try:
        return await anyio.to_thread.run_sync(_keep, request, deployment, digest, received, reason)
    finally:
        if isinstance(received, tuple):
            received[0].unlink(missing_ok=True)


@router.get("/deployments/{deployment}/deploys")
def list_deploys(
    request: Request, deployment: Reference, limit: Limit = 100, offset: Offset = 0
) -> Page[DeployView]:
    """The deploys of 90 days and the present one, the newest first."""
    with reading(request) as (db, caller):
        return page(deploy_history.listed(db, caller, deployment), limit, offset)


@router.post("/deployments/{deployment}/deploys", status_code=202, response_model=OperationView)
def create_deploy(request: Request, deployment: Reference, ask: NewDeploy, reason: Reason = "") -> Response:
    """Give it code of its own. A deploy that fails is undone: what ran before runs again."""
    archives = platform_of(request).archives
    return changes.run(
        request,
        "deploy.create",
        ask,
        lambda change: deploys.create(change, archives, deployment, ask),
        reason=reason,
        status=202,
    )


@router.post("/deployments/{deployment}/deploys/roll-back", status_code=202, response_model=OperationView)
def roll_back(request: Request, deployment: Reference, ask: RollBack, reason: Reason = "") -> Response:
    """Give it code that it has had. Refused once its database has other migrations."""
    archives = platform_of(request).archives
    return changes.run(
        request,
        "deploy.rollBack",
        ask,
        lambda change: code_rollback.roll_back(change, archives, deployment, ask),
        reason=reason,
        status=202,
    )


def _keep(
    request: Request,
    deployment: str,
    digest: str,
    received: code_archives.Received,
    reason: str,
) -> Response:
    archives = platform_of(request).archives
    return changes.run(
        request,
        "deploy.upload",
        None,
        lambda change: code_archives.keep(change, archives, deployment, digest, received),
        reason=reason,
    )


async def _received(request: Request, deployment: str) -> code_archives.Received:
    """The body in a file, and what it holds; or why it is none. Nothing is kept of a caller who may not deploy."""
    archives = platform_of(request).archives
    if archives is None or not await anyio.to_thread.run_sync(_may, request, deployment):
        await _discard(request)
        return None
    file = await anyio.to_thread.run_sync(archives.incoming)
    whole = False
    try:
        size = 0
        async with await anyio.open_file(file, "wb") as target:
            async for chunk in request.stream():
                size += len(chunk)
                if size > plane_archives.COMPRESSED:
                    return Refused(
                        Code.TOO_LARGE,
                        f"an archive has {plane_archives.COMPRESSED // 1024 // 1024} MiB at the most",
                        remedy="Put large files into a package of the index, or into the site.",
                    )
                await target.write(chunk)
        found = await anyio.to_thread.run_sync(_checked, file)
        whole = isinstance(found, PlaneArchive)
        return found if isinstance(found, Refused) else (file, found)
    finally:
        if not whole:
            file.unlink(missing_ok=True)


async def _discard(request: Request) -> None:
    """Read to its end what is refused anyway: a client that is cut off while it sends does not read why."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > plane_archives.COMPRESSED:
            return


def _may(request: Request, deployment: str) -> bool:
    with platform_of(request).store.reading(caller_of(request).organization) as db:
        return code_archives.may_deploy(db, caller_of(request).principal, deployment)


def _checked(file: FilePath) -> PlaneArchive | Refused:
    try:
        with file.open("rb") as source:
            return plane_archives.check(source)
    except BadArchive as error:
        return Refused(
            Code.MALFORMED,
            f"the archive is refused: {error}",
            remedy="`tradewind project deploy plane` makes one that is taken.",
        )
