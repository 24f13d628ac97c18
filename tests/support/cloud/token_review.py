"""The part of a Kubernetes API that Vault's Kubernetes auth method asks: reviews of service accounts' tokens."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCOUNT = {"namespace": "airflow", "name": "airflow-site", "uid": "00000000-1111-2222-3333-444444444444"}


class TokenReview:
    """Knows which tokens are good. Serves inside `with`."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        reviews = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
                good = asked["spec"]["token"] in reviews.good
                status: dict[str, object] = {"authenticated": good}
                if good:
                    status["audiences"] = asked["spec"].get("audiences") or []
                    name = f"system:serviceaccount:{ACCOUNT['namespace']}:{ACCOUNT['name']}"
                    status["user"] = {"username": name, "uid": ACCOUNT["uid"], "groups": []}
                body = json.dumps({**asked, "status": status}).encode()
                self.send_response(201)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> TokenReview:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def new_token(self) -> str:
        """A service account's token of today's form, which is good."""
        claims = {
            "iss": "https://kubernetes.default.svc.cluster.local",
            "sub": f"system:serviceaccount:{ACCOUNT['namespace']}:{ACCOUNT['name']}",
            "aud": ["vault"],
            "iat": int(time.time()),
            "exp": int(time.time()) + 3600,
            "jti": str(len(self.good)) + str(time.time_ns()),
            "kubernetes.io": {
                "namespace": ACCOUNT["namespace"],
                "serviceaccount": {"name": ACCOUNT["name"], "uid": ACCOUNT["uid"]},
            },
        }
        token = ".".join([_coded({"alg": "RS256", "kid": "1", "typ": "JWT"}), _coded(claims), "c2ln" * 86])
        self.good.add(token)
        return token


def _coded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
