"""Azure Key Vault, Microsoft Entra's token endpoint and the endpoint of a managed identity, in small. No emulator of them can be had.

It asks as the real ones do: the first request of a client gets a challenge (401 with `WWW-Authenticate`), from which Azure's SDK
learns where to sign in and for which resource; a token is given for a federated assertion, a client's secret or the header of a
managed identity, and is refused when it is not one of those given or is for another service.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-7777-8888-9999-000000000000"
VAULT = "tradewind.vault.azure.net"
ENTRA = "login.microsoftonline.com"
SERVICE = "https://vault.azure.net"
IDENTITY = f"https://{ENTRA}/msi/token"
"""Where Container Apps and App Service have an address of the machine's own."""


class KeyVault:
    """Serves plain HTTP inside `with`; `namespace.Cloud` puts the names and TLS before it."""

    name = "key-vault"

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.denied: set[str] = set()  # clients without the role
        self.assertions: set[str] = set()  # federated tokens that are good
        self.client_secrets: set[str] = set()
        self.identity_headers: set[str] = set()
        self.throttled = False
        self.tokens: set[str] = set()
        self.lines: list[str] = []
        vault = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path.endswith("/v2.0/.well-known/openid-configuration"):
                    base = f"https://{ENTRA}/{TENANT}"
                    document = {
                        "issuer": f"{base}/v2.0",
                        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                        "token_endpoint": f"{base}/oauth2/v2.0/token",
                        "tenant_region_scope": "EU",
                    }
                    self._answer(200, document)
                elif path.startswith("/common/discovery/instance"):
                    alias = {"preferred_network": ENTRA, "preferred_cache": ENTRA, "aliases": [ENTRA]}
                    endpoint = f"https://{ENTRA}/{TENANT}/v2.0/.well-known/openid-configuration"
                    self._answer(200, {"tenant_discovery_endpoint": endpoint, "metadata": [alias]})
                elif self.path.startswith("/msi/token?"):
                    self._managed_identity(parse_qs(self.path.partition("?")[2])["resource"][0])
                elif path.startswith("/secrets/"):
                    self._secret(path.split("/")[2])
                else:
                    self._answer(404, {"error": {"code": "NotFound", "message": path}})

            def do_POST(self) -> None:
                given = parse_qs(self.rfile.read(int(self.headers.get("content-length") or 0)).decode())
                known = (
                    given.get("client_assertion", [""])[0] in vault.assertions
                    or given.get("client_secret", [""])[0] in vault.client_secrets
                )
                if not known:
                    told = "AADSTS700213: No matching federated identity record found for presented assertion"
                    self._answer(401, {"error": "invalid_client", "error_description": told})
                    return
                self._answer(
                    200,
                    {
                        "token_type": "Bearer",
                        "expires_in": 3599,
                        "ext_expires_in": 3599,
                        "access_token": vault.new_token(
                            given["client_id"][0], given["scope"][0].partition("/.default")[0]
                        ),
                    },
                )

            def _managed_identity(self, resource: str) -> None:
                if self.headers.get("x-identity-header") not in vault.identity_headers:
                    self._answer(401, {"statusCode": 401, "message": "The header is not this machine's"})
                    return
                told = {"access_token": vault.new_token(CLIENT, resource), "token_type": "Bearer"}
                self._answer(200, {**told, "expires_on": str(int(time.time()) + 3600), "resource": resource})

            def _secret(self, name: str) -> None:
                kind, _, token = (self.headers.get("authorization") or "").partition(" ")
                if kind != "Bearer" or token not in vault.tokens or _claims(token)["aud"] != SERVICE:
                    challenge = (
                        f'Bearer authorization="https://{ENTRA}/{TENANT}", resource="https://vault.azure.net"'
                    )
                    said = {
                        "error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a token."}
                    }
                    self._answer(401, said, **{"WWW-Authenticate": challenge})
                elif vault.throttled:
                    said = {"error": {"code": "Throttled", "message": "Request was not processed: too many"}}
                    self._answer(429, said, **{"Retry-After": "0"})
                elif _claims(token)["appid"] in vault.denied:
                    message = (
                        "Caller is not authorized to perform action on resource: …/secrets/getSecret/action"
                    )
                    self._answer(403, {"error": {"code": "Forbidden", "message": message}})
                elif name not in vault.secrets:
                    message = f"A secret with (name/id) {name} was not found in this key vault."
                    self._answer(404, {"error": {"code": "SecretNotFound", "message": message}})
                else:
                    about = {"enabled": True, "created": 1, "updated": 1}
                    identity = f"https://{VAULT}/secrets/{name}/0123456789abcdef0123456789abcdef"
                    self._answer(200, {"value": vault.secrets[name], "id": identity, "attributes": about})

            def _answer(self, status: int, document: object, **headers: str) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                vault.lines.append(format % args)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> KeyVault:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.lines[-lines:])

    def new_token(self, client: str, service: str) -> str:
        now = int(time.time())
        times = {"iat": now - 60, "nbf": now - 60, "exp": now + 3600}
        issuer = f"https://sts.windows.net/{TENANT}/"
        claims = {"appid": client, "tid": TENANT, "oid": client, "aud": service, "iss": issuer, **times}
        token = ".".join(_coded(each) for each in ({"alg": "none", "typ": "JWT"}, claims)) + ".c2ln"
        self.tokens.add(token)
        return token


def _coded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
