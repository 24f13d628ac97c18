"""OpenID Connect with an identity provider: its description, the code flow, and tokens whose signature is checked.

The rules of tokens are Authlib's and joserfc's. Nothing here keeps a token.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tradewind_platform.security import trust

ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that a provider's public key verifies. No shared secret, and none."""
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_LEEWAY: Final = 60
_KEPT: Final = timedelta(minutes=10)
_LARGEST: Final = 4_000_000  # a token with hundreds of roles is some 20 kB
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class ProviderUnreachable(Exception):
    """The identity provider did not answer, or not as one. A later try may succeed."""


class ProviderRefused(Exception):
    """The identity provider refused: a code that is no longer good, a refresh token of a disabled user."""


class TokenNotValid(Exception):
    """A token of the identity provider is not one for this platform and this sign-in. Has nothing of the token in it."""


@dataclass(frozen=True)
class Client:
    """The platform, as the identity provider knows it."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str = ""
    scopes: str = "openid profile email"


@dataclass(frozen=True)
class Metadata:
    """What the provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    names_issuer_in_answers: bool = False
    client_authentication: str = "client_secret_basic"


@dataclass(frozen=True)
class Tokens:
    """What a sign-in or a refresh gave."""

    claims: Mapping[str, Any]
    refresh_token: str | None = field(default=None, repr=False)


def new_secret() -> str:
    """A value that cannot be guessed: a state, a nonce, a code verifier."""
    return secrets.token_urlsafe(48)


class IdentityProvider:
    """One identity provider. Its description and keys are kept for ten minutes.

    `transport`: where tests put one that has no network.
    """

    def __init__(
        self, issuer: str, *, clock: Callable[[], datetime], transport: httpx.BaseTransport | None = None
    ) -> None:
        self.issuer = issuer
        self._clock = clock
        self._transport = transport
        self._lock = threading.Lock()
        self._metadata: tuple[datetime, Metadata] | None = None
        self._keys: tuple[datetime, KeySet] | None = None

    def metadata(self) -> Metadata:
        """Raises ProviderUnreachable; TokenNotValid when the description is of another issuer."""
        with self._lock:
            if self._metadata is None or self._clock() - self._metadata[0] >= _KEPT:
                self._metadata = (self._clock(), self._fetched_metadata())
            return self._metadata[1]

    def authorization_url(
        self,
        client: Client,
        *,
        state: str,
        nonce: str,
        verifier: str,
        acr_values: str = "",
        max_age: int | None = None,
    ) -> str:
        """Where the browser goes to sign in."""
        more: dict[str, Any] = {"nonce": nonce}
        if acr_values:
            more["acr_values"] = acr_values
        if max_age is not None:
            more["max_age"] = max_age
        found: str = prepare_grant_uri(
            self.metadata().authorization_endpoint,
            client_id=client.client_id,
            response_type="code",
            redirect_uri=client.redirect_uri,
            scope=client.scopes,
            state=state,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            **more,
        )
        return found

    def exchange(
        self, client: Client, code: str, *, verifier: str, nonce: str, max_age: int | None = None
    ) -> Tokens:
        """The tokens of a code. Raises ProviderUnreachable, ProviderRefused, TokenNotValid."""
        answer = self._token_request(
            client,
            prepare_token_request(
                "authorization_code",
                redirect_uri=client.redirect_uri,
                code=code,
                code_verifier=verifier,
            ),
        )
        params = {"nonce": nonce, "max_age": max_age, "access_token": answer.get("access_token")}
        return self._tokens(client, answer, {name: one for name, one in params.items() if one is not None})

    def refresh(self, client: Client, refresh_token: str) -> Tokens | None:
        """New tokens; None when the provider gave no new ID token, so that nothing is known to have changed.

        Raises ProviderUnreachable, ProviderRefused (the person may not come back), TokenNotValid.
        """
        body = prepare_token_request("refresh_token", refresh_token=refresh_token, scope=client.scopes)
        answer = self._token_request(client, body)
        if "id_token" not in answer:
            return None
        return self._tokens(client, answer, {})

    def logout_claims(self, client: Client, token: str) -> Mapping[str, Any]:
        """The claims of a token of back-channel logout. Raises ProviderUnreachable, TokenNotValid."""
        header, claims = self._verified(token)
        self._check(client, header, claims, {}, essential=("iss", "aud", "iat", "jti"))
        events = claims.get("events")
        if header.get("typ", "").lower() not in ("", "jwt", "logout+jwt"):
            raise TokenNotValid("the token is of another type")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise TokenNotValid("the token is not one of back-channel logout")
        if "nonce" in claims:
            raise TokenNotValid("the token is an ID token, and not one of back-channel logout")
        if not (isinstance(claims.get("sub"), str) or isinstance(claims.get("sid"), str)):
            raise TokenNotValid("the token names neither a session nor a person")
        if self._clock().timestamp() - float(claims["iat"]) > 2 * _LEEWAY:
            raise TokenNotValid("the token is too old")
        return claims

    def _tokens(self, client: Client, answer: Mapping[str, Any], params: dict[str, Any]) -> Tokens:
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise TokenNotValid("the identity provider gave no ID token: the scope `openid` is missing")
        header, claims = self._verified(token)
        self._check(client, header, claims, params, essential=("iss", "sub", "aud", "exp", "iat"))
        refresh = answer.get("refresh_token")
        return Tokens(claims, refresh if isinstance(refresh, str) else None)

    def _check(
        self,
        client: Client,
        header: Mapping[str, Any],
        claims: Mapping[str, Any],
        params: dict[str, Any],
        *,
        essential: tuple[str, ...],
    ) -> None:
        missing = [one for one in essential if one not in claims]
        if missing:
            raise TokenNotValid(f"the token has no {missing[0]}")
        options = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": client.client_id},
        }
        kept = dict(claims) if "exp" in claims else {**claims, "exp": claims["iat"] + _LEEWAY, "sub": "-"}
        checked = CodeIDToken(kept, dict(header), options, {"client_id": client.client_id, **params})
        try:
            checked.validate(now=int(self._clock().timestamp()), leeway=_LEEWAY)
        except (JoseError, ValueError, TypeError) as error:
            raise TokenNotValid(f"the token was refused: {error}") from None
        if params.get("max_age") is not None:
            age = self._clock().timestamp() - float(claims.get("auth_time", 0))
            if age > params["max_age"] + _LEEWAY:
                raise TokenNotValid("the person did not sign in again, which was asked for")

    def _verified(self, token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        for again in (False, True):
            try:
                found = jwt.decode(token, self._key_set(again), algorithms=ALGORITHMS)
                return found.header, found.claims
            except (JoseError, ValueError, TypeError, KeyError) as error:
                # A key that is not known yet: the provider may have rotated.
                if again:
                    raise TokenNotValid(f"the token's signature was refused: {error}") from None
        raise AssertionError("unreachable")

    def _key_set(self, again: bool) -> KeySet:
        uri = self.metadata().jwks_uri
        with self._lock:
            now = self._clock()
            kept = timedelta(seconds=5) if again else _KEPT
            if self._keys is None or now - self._keys[0] >= kept:
                try:
                    self._keys = (now, KeySet.import_key_set(cast(Any, self._get(uri))))
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise ProviderUnreachable(f"{uri} has no keys: {error}") from None
            return self._keys[1]

    def _fetched_metadata(self) -> Metadata:
        found = self._get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise TokenNotValid(f"the provider calls itself {found.get('issuer')!r}, and not {self.issuer!r}")
        try:
            authorization, token, keys = (
                str(found["authorization_endpoint"]),
                str(found["token_endpoint"]),
                str(found["jwks_uri"]),
            )
        except KeyError as error:
            raise ProviderUnreachable(f"the description of {self.issuer} has no {error}") from None
        for one in (authorization, token, keys):
            if not is_allowed_address(one):
                raise ProviderUnreachable(f"{one!r} is not an address with TLS")
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Metadata(
            self.issuer,
            authorization,
            token,
            keys,
            end_session_endpoint=found.get("end_session_endpoint"),
            userinfo_endpoint=found.get("userinfo_endpoint"),
            names_issuer_in_answers=found.get("authorization_response_iss_parameter_supported") is True,
            client_authentication=(
                "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
            ),
        )

    def _token_request(self, client: Client, body: str) -> Mapping[str, Any]:
        metadata = self.metadata()
        auth = ClientAuth(client.client_id, client.client_secret, metadata.client_authentication)
        url, headers, body = auth.prepare("POST", metadata.token_endpoint, dict(_FORM), body)
        answer = self._sent("POST", url, headers=headers, content=body)
        found = _json(answer, url)
        if answer.status_code == 200:
            return found
        if 400 <= answer.status_code < 500 and answer.status_code != 429:
            message = str(found.get("error_description") or found.get("error") or answer.status_code)
            raise ProviderRefused(f"the identity provider refused: {message[:200]}")
        raise ProviderUnreachable(f"{url} answered {answer.status_code}")

    def _get(self, url: str) -> Mapping[str, Any]:
        if not is_allowed_address(url):
            raise ProviderUnreachable(f"{url!r} is not an address with TLS")
        answer = self._sent("GET", url, headers={"Accept": "application/json"})
        if answer.status_code != 200:
            raise ProviderUnreachable(f"{url} answered {answer.status_code}")
        return _json(answer, url)

    def _sent(self, method: str, url: str, **more: Any) -> httpx.Response:
        try:
            with httpx.Client(
                transport=self._transport, verify=trust.of_this_machine(), timeout=10, follow_redirects=False
            ) as http:
                answer = http.request(method, url, **more)
        except httpx.HTTPError as error:
            raise ProviderUnreachable(f"{url} does not answer: {type(error).__name__}") from None
        if len(answer.content) > _LARGEST:
            raise ProviderUnreachable(f"{url} answered with {len(answer.content)} bytes")
        return answer


def is_allowed_address(url: str) -> bool:
    """Whether it is an address with TLS, or one of this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")


def _json(answer: httpx.Response, url: str) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProviderUnreachable(f"{url} answered {answer.status_code}, and no JSON object")
    return found
