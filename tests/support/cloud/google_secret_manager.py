"""Google Secret Manager, in small, as a program of an environment that has Google's client. No emulator can be had.

It speaks gRPC with the client's own message classes, over TLS at the vendor's name. What it has is a JSON file that it reads at
each request: `secrets` by the resource's name, and `fault`: a gRPC status, or `slow:SECONDS`. With `tokens` it takes these only.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"


def main(address: str, certificate: str, key: str, state: str) -> None:
    import grpc
    from google.cloud.secretmanager_v1.types import AccessSecretVersionRequest, AccessSecretVersionResponse

    def access(request: Any, context: Any) -> Any:
        now = json.loads(Path(state).read_text())
        fault = now.get("fault", "")
        print(f"{request.name} {fault}", flush=True)
        if fault.startswith("slow:"):
            time.sleep(float(fault.partition(":")[2]))
        elif fault:
            context.abort(grpc.StatusCode[fault], f"{fault}: as the test asked, for {request.name}")
        metadata = dict(context.invocation_metadata())
        kind, _, token = metadata.get("authorization", "").partition(" ")
        if kind != "Bearer" or token not in now.get("tokens", [token]):
            context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "Request is missing required authentication credential."
            )
        if request.name not in now["secrets"]:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Secret [{request.name}] not found or has no versions.")
        value = now["secrets"][request.name].encode()
        return AccessSecretVersionResponse({"name": request.name, "payload": {"data": value}})

    handler = grpc.unary_unary_rpc_method_handler(
        access,
        request_deserializer=AccessSecretVersionRequest.deserialize,
        response_serializer=AccessSecretVersionResponse.serialize,
    )
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(SERVICE, {"AccessSecretVersion": handler})]
    )
    credentials = grpc.ssl_server_credentials([(Path(key).read_bytes(), Path(certificate).read_bytes())])
    server.add_secure_port(address, credentials)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
