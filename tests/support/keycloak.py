"""A Keycloak of the tests: started from its distribution, with a realm that has groups, roles and TOTP."""

from __future__ import annotations

import hashlib
import hmac
import html
import os
import re
import secrets
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from support.patience import stretched
from tradewind.embedded.plane import free_port

VERSION = "26.7.3"
HOME = (
    Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    / "tradewind-keycloak"
    / f"keycloak-{VERSION}"
)
REALM = "acme"
CLIENT_ID = "tradewind"
CLIENT_SECRET = "canary-client-secret-at-keycloak"
PASSWORD = "a password at keycloak"
TOTP_SECRET = "canary-totp-secret-01"


@dataclass
class Keycloak:
    """What an administrator of the realm does, over Keycloak's own API."""

    url: str
    admin_password: str = field(repr=False)
    process: int  # the leader of its process group

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/{REALM}"

    def api(self, method: str, path: str, **more: Any) -> Any:
        """A request of the administration API; JSON, or the id of what was made."""
        with httpx.Client(timeout=300) as http:
            form = {
                "grant_type": "password",
                "client_id": "admin-cli",
                "username": "admin",
                "password": self.admin_password,
            }
            token = http.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=form).json()
            headers = {"Authorization": f"Bearer {token['access_token']}"}
            answer = http.request(method, f"{self.url}/admin/realms{path}", headers=headers, **more)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        if answer.headers.get("location"):
            return answer.headers["location"].rpartition("/")[2]
        return answer.json() if answer.content else None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections and answers nothing."""
        os.killpg(self.process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process, signal.SIGCONT)

    def make_realm(self, platform: str) -> None:
        """The realm, with the platform as a client."""
        mapper = {"protocol": "openid-connect", "consentRequired": False}
        everywhere = {"id.token.claim": "true", "access.token.claim": "true", "userinfo.token.claim": "true"}
        client = {
            "clientId": CLIENT_ID,
            "secret": CLIENT_SECRET,
            "publicClient": False,
            "standardFlowEnabled": True,
            "directAccessGrantsEnabled": False,
            "redirectUris": [f"{platform}/sign-in/callback"],
            "attributes": {
                "pkce.code.challenge.method": "S256",
                "backchannel.logout.url": f"{platform}/sign-in/back-channel-logout",
                "backchannel.logout.session.required": "true",
                "post.logout.redirect.uris": f"{platform}/",
            },
            "protocolMappers": [
                {
                    **mapper,
                    "name": "groups",
                    "protocolMapper": "oidc-group-membership-mapper",
                    "config": {"claim.name": "groups", "full.path": "false", **everywhere},
                },
                {
                    **mapper,
                    "name": "roles",
                    "protocolMapper": "oidc-usermodel-realm-role-mapper",
                    "config": {"claim.name": "realm_roles", "multivalued": "true", **everywhere},
                },
                {
                    **mapper,
                    "name": "amr",
                    "protocolMapper": "oidc-amr-mapper",
                    "config": everywhere,
                },
            ],
        }
        # Tests sign in more often than a person does: within the 30 seconds of a code.
        policy = {
            "otpPolicyType": "totp",
            "otpPolicyAlgorithm": "HmacSHA1",
            "otpPolicyDigits": 6,
            "otpPolicyPeriod": 30,
            "otpPolicyInitialCounter": 0,
            "otpPolicyLookAheadWindow": 1,
            "otpPolicyCodeReusable": True,
        }
        realm = {"realm": REALM, "enabled": True, "sslRequired": "none", **policy}
        self.api("POST", "", json=realm)
        self.api("POST", f"/{REALM}/clients", json=client)
        for name in ("engineers", "operators", "analysts"):
            self.api("POST", f"/{REALM}/groups", json={"name": name})
        self._name_the_methods()

    def _name_the_methods(self) -> None:
        """Each authenticator says what it is in the claim `amr`."""
        names = {"auth-username-password-form": "pwd", "auth-otp-form": "otp"}
        for one in self.api("GET", f"/{REALM}/authentication/flows/browser/executions"):
            name = names.get(one.get("providerId"))
            if name is not None:
                config = {"default.reference.value": name, "default.reference.maxAge": "3600"}
                path = f"/{REALM}/authentication/executions/{one['id']}/config"
                self.api("POST", path, json={"alias": name, "config": config})

    def add_user(self, name: str, *, group: str = "", totp: bool = True) -> str:
        """A person with a password, and with TOTP where it is asked for. Returns the id."""
        credentials: list[dict[str, Any]] = [{"type": "password", "value": PASSWORD, "temporary": False}]
        if totp:
            data = '{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1"}'
            secret = f'{{"value":"{TOTP_SECRET}"}}'
            credentials.append({"type": "otp", "secretData": secret, "credentialData": data})
        user = {
            "username": name,
            "enabled": True,
            "email": f"{name}@example.com",
            "emailVerified": True,
            "firstName": name.title(),
            "lastName": "Example",
            "credentials": credentials,
            "groups": [f"/{group}"] if group else [],
        }
        return str(self.api("POST", f"/{REALM}/users", json=user))

    def move_to_group(self, user: str, group: str) -> None:
        """Make it the person's only group."""
        for one in self.api("GET", f"/{REALM}/users/{user}/groups"):
            self.api("DELETE", f"/{REALM}/users/{user}/groups/{one['id']}")
        found = self.api("GET", f"/{REALM}/groups", params={"search": group, "exact": "true"})
        self.api("PUT", f"/{REALM}/users/{user}/groups/{found[0]['id']}", json={})

    def disable(self, user: str) -> None:
        self.api("PUT", f"/{REALM}/users/{user}", json={"enabled": False})

    def sign_out(self, user: str) -> None:
        """End the person's sessions, as an administrator does: Keycloak tells its clients."""
        self.api("POST", f"/{REALM}/users/{user}/logout", json={})

    def give_roles(self, user: str, count: int) -> None:
        for number in range(count):
            self.api("POST", f"/{REALM}/roles", json={"name": f"role-{number:03}-of-a-large-company"})
        roles = self.api("GET", f"/{REALM}/roles", params={"max": count + 50})
        self.api("POST", f"/{REALM}/users/{user}/role-mappings/realm", json=roles)


def sign_in(browser: httpx.Client, start: str, name: str, *, totp: bool = True) -> httpx.Response:
    """Fill Keycloak's forms in. Returns the platform's answer at the end of the way, which is not followed."""
    answer = _followed(browser, browser.get(start))
    answer = _sent(browser, answer, {"username": name, "password": PASSWORD, "credentialId": ""})
    if totp:
        answer = _sent(browser, answer, {"otp": totp_now()})
    return answer


def totp_now() -> str:
    """RFC 6238 for this moment."""
    digest = hmac.new(TOTP_SECRET.encode(), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def _sent(browser: httpx.Client, page: httpx.Response, fields: dict[str, str]) -> httpx.Response:
    found = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    assert found is not None, f"{page.url} has no form: {page.status_code} {page.text[:2000]}"
    return _followed(browser, browser.post(html.unescape(found[1]), data=fields))


def _followed(browser: httpx.Client, answer: httpx.Response) -> httpx.Response:
    """Follow redirects as a browser does, but not away from the platform's callback."""
    while answer.is_redirect and "/sign-in/callback" not in str(answer.request.url):
        answer = browser.get(answer.next_request.url if answer.next_request else "")
    return answer


@contextmanager
def running(log: Path) -> Iterator[Keycloak]:
    """A Keycloak with an empty database in memory, and no realm but its own."""
    port, password = free_port(), secrets.token_urlsafe(16)
    environment = {
        **os.environ,
        "JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx512m",
        "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
    }
    command = [
        str(HOME / "bin" / "kc.sh"),
        "start-dev",
        "--db=dev-mem",
        "--http-host=127.0.0.1",
        f"--http-port={port}",
    ]
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, f"{url}/realms/master/.well-known/openid-configuration", log)
        yield Keycloak(url, password, process.pid)
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + stretched(400)
    while True:
        assert process.poll() is None, f"Keycloak ended: {log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"Keycloak does not answer: {log.read_text()[-3000:]}"
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
