"""Airflow's auth manager for a Deployment of a platform."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.types import ExtraMenuItem, MenuItem
from airflow.models.revoked_token import RevokedToken
from jwt import ExpiredSignatureError, InvalidTokenError

from tradewind_protocol.access import API_TOKEN_PREFIX
from tradewind_provider import settings
from tradewind_provider.airflow import configuration
from tradewind_provider.auth_manager.platform_client import PlatformClient
from tradewind_provider.auth_manager.replica import AccessReplica
from tradewind_provider.auth_manager.users import PlatformUser, Session
from tradewind_provider.clock import utc_now
from tradewind_provider.domain import access_roles
from tradewind_provider.domain.access import Holder
from tradewind_provider.settings import PlatformLink, SettingsError

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from airflow.api_fastapi.auth.managers.models.resource_details import (
        AccessView,
        AssetAliasDetails,
        AssetDetails,
        ConfigurationDetails,
        ConnectionDetails,
        DagDetails,
        PoolDetails,
        VariableDetails,
    )
    from fastapi import FastAPI


class TradewindAuthManager(BaseAuthManager[PlatformUser]):
    """People sign in on the platform; who may do what is looked up in a copy of what the platform decides.

    No decision waits for the platform: while it is away, nothing changes for users who are signed in.
    """

    clock: Callable[[], datetime] = staticmethod(utc_now)

    def init(self) -> None:
        """Read the roles that an earlier process kept. Raises SettingsError for a plane that no platform manages."""
        super().init()
        self.replica.load()

    @cached_property
    def link(self) -> PlatformLink:
        """Where the platform is. Raises SettingsError for a plane that no platform manages."""
        found = settings.current().platform
        if found is None:
            raise SettingsError(
                "[core] auth_manager is Tradewind's, and [tradewind] managed_by is not 'platform': a plane of its own keeps "
                "Airflow's SimpleAuthManager or FAB's"
            )
        return found

    @cached_property
    def replica(self) -> AccessReplica:
        path = self.link.access_file or Path(configuration.airflow_home()) / "access.json"
        return AccessReplica(path, self.link.deployment, max_age=self.link.access_max_age, clock=self.clock)

    @cached_property
    def platform(self) -> PlatformClient:
        return PlatformClient(self.link)

    # ---- who asks

    async def get_user_from_token(self, token: str) -> PlatformUser:
        """The user of an API token or of a token of Airflow's. Raises InvalidTokenError for one that opens nothing any more."""
        if token.startswith(API_TOKEN_PREFIX):
            return self.user_of_api_token(token)
        claims = await self._get_token_validator().avalidated_claims(token)
        user = self.deserialize_user(claims)
        revocable = [claims["jti"]] + ([user.session.id.hex] if user.session is not None else [])
        for id in revocable:
            if await anyio.to_thread.run_sync(RevokedToken.is_revoked, id):
                raise InvalidTokenError("the token was revoked")
        self._check(user)
        return user

    def user_of_api_token(self, value: str) -> PlatformUser:
        """Raises InvalidTokenError for one that has no role here, ExpiredSignatureError for one that has expired."""
        found = self.replica.token(value)
        if found is None:
            raise InvalidTokenError("this API token is not known, or has no role in this Deployment")
        user = PlatformUser(found.holder.id, found.holder.name, token_value=found.id, issued_at=self.clock())
        self._check(user)
        return user

    def deserialize_user(self, token: dict[str, Any]) -> PlatformUser:
        """Raises InvalidTokenError for claims that this auth manager did not make."""
        try:
            return PlatformUser.of(token)
        except (KeyError, ValueError, TypeError) as error:
            raise InvalidTokenError(f"not a token of this auth manager: {error}") from None

    def serialize_user(self, user: PlatformUser) -> dict[str, Any]:
        return user.claims()

    def generate_jwt(self, user: PlatformUser, *, expiration_time_in_seconds: int | None = None) -> str:
        return super().generate_jwt(
            user, expiration_time_in_seconds=expiration_time_in_seconds or configuration.token_seconds()
        )

    def refresh_user(self, *, user: PlatformUser) -> PlatformUser | None:
        """A person who goes on working gets a new token in time, until the session on the platform ends."""
        if user.session is None or user.issued_at is None:
            return None
        half = timedelta(seconds=configuration.token_seconds() / 2)
        return user if self.clock() - user.issued_at >= half else None

    async def session_of(self, token: str) -> Session | None:
        """The session of a token that was signed here, revoked or not; None for anything else."""
        try:
            claims = await self._get_token_validator().avalidated_claims(token)
            return self.deserialize_user(claims).session
        except InvalidTokenError:
            return None

    def revoke_token(self, token: str) -> None:
        """End a token, and every other one of the same sign-in. An API token is ended on the platform only."""
        if token.startswith(API_TOKEN_PREFIX):
            return
        super().revoke_token(token)
        try:
            user = self.deserialize_user(self._get_token_validator().validated_claims(token))
        except InvalidTokenError:
            return
        if user.session is not None:
            RevokedToken.revoke(user.session.id.hex, user.session.ends_at)

    def _check(self, user: PlatformUser) -> None:
        """Raises InvalidTokenError for a user who may do nothing here at this moment."""
        now = self.clock()
        if user.session is not None:
            if user.session.ends_at <= now:
                raise ExpiredSignatureError("the session on the platform has ended")
            if self.replica.session_ended(user.session.id):
                raise InvalidTokenError("the session on the platform was ended")
        if user.token_value is not None:
            value = self.replica.token_value(user.token_value)
            if value is not None and value.expired(now):
                raise ExpiredSignatureError("the API token has expired")
        if self._holder(user) is None:
            raise InvalidTokenError(f"{user.name} has no role in this Deployment")

    def _holder(self, user: PlatformUser) -> Holder | None:
        if user.spoken_for is not None:
            return user.spoken_for
        if user.token_value is not None:
            value = self.replica.token_value(user.token_value)
            return None if value is None else self.replica.holder(value)
        return self.replica.user(user.id)

    # ---- what they may do

    def _may(self, user: PlatformUser, resource: str, method: str) -> bool:
        holder = self._holder(user)
        return holder is not None and access_roles.may(holder.role, resource, method)

    def may_on_operator_api(self, user: PlatformUser, name: str) -> bool:
        """Whether the user has a permission of the platform's on the operator API (`airflow.permissions.TellsActionsApart`)."""
        holder = self._holder(user)
        return holder is not None and holder.may(name)

    def is_authorized_configuration(
        self, *, method: ResourceMethod, user: PlatformUser, details: ConfigurationDetails | None = None
    ) -> bool:
        return self._may(user, "configuration", method)

    def is_authorized_connection(
        self, *, method: ResourceMethod, user: PlatformUser, details: ConnectionDetails | None = None
    ) -> bool:
        return self._may(user, "connection", method)

    def is_authorized_dag(
        self,
        *,
        method: ResourceMethod,
        user: PlatformUser,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        if access_entity is DagAccessEntity.AUDIT_LOG:
            holder = self._holder(user)
            return holder is not None and holder.audit
        return self._may(user, "dag", method)

    def is_authorized_asset(
        self, *, method: ResourceMethod, user: PlatformUser, details: AssetDetails | None = None
    ) -> bool:
        return self._may(user, "asset", method)

    def is_authorized_asset_alias(
        self, *, method: ResourceMethod, user: PlatformUser, details: AssetAliasDetails | None = None
    ) -> bool:
        return self._may(user, "asset_alias", method)

    def is_authorized_pool(
        self, *, method: ResourceMethod, user: PlatformUser, details: PoolDetails | None = None
    ) -> bool:
        return self._may(user, "pool", method)

    def is_authorized_variable(
        self, *, method: ResourceMethod, user: PlatformUser, details: VariableDetails | None = None
    ) -> bool:
        return self._may(user, "variable", method)

    def is_authorized_view(self, *, access_view: AccessView, user: PlatformUser) -> bool:
        holder = self._holder(user)
        return holder is not None and access_roles.may_view(holder.role, access_view.value)

    def is_authorized_custom_view(
        self, *, method: ResourceMethod | str, resource_name: str, user: PlatformUser
    ) -> bool:
        return self._may(user, "custom_view", method)

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: PlatformUser) -> bool:
        """A Dag may name people by their name as well as by their id."""
        return bool(assigned_users & {user.get_id(), user.get_name()})

    def filter_authorized_dag_ids(
        self,
        *,
        dag_ids: set[str],
        user: PlatformUser,
        method: ResourceMethod = "GET",
        team_name: str | None = None,
    ) -> set[str]:
        return dag_ids if self.is_authorized_dag(method=method, user=user) else set()

    def filter_authorized_menu_items(
        self, menu_items: list[MenuItem], *, user: PlatformUser
    ) -> list[MenuItem]:
        holder = self._holder(user)
        if holder is None:
            return []
        return [one for one in menu_items if access_roles.may_see(holder.role, one.value, audit=holder.audit)]

    def get_extra_menu_items(self, *, user: PlatformUser) -> list[ExtraMenuItem]:
        return [ExtraMenuItem(text="Back to platform", href=self.link.url)]

    # ---- signing in and out

    def get_url_login(self, **kwargs: Any) -> str:
        from tradewind_provider.auth_manager import browser_sign_in

        return browser_sign_in.login_address(kwargs.get("next_url"))

    def get_url_logout(self) -> str | None:
        from tradewind_provider.auth_manager import browser_sign_in

        return browser_sign_in.LOGOUT

    def get_fastapi_app(self) -> FastAPI | None:
        from tradewind_provider.auth_manager import app

        return app.create_app(self)
