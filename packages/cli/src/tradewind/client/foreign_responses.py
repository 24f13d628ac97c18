"""What is said when no plane answers, or something else does in its place: the cause, and what to change."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from tradewind.errors import Unreachable


def unreachable(plane: str, problem: httpx.TransportError) -> Unreachable:
    """Nothing answered."""
    said = str(problem) or type(problem).__name__
    return Unreachable(f"no orchestration plane answers at {plane}: {said}", remedy=_remedy(said, problem))


def _remedy(said: str, problem: httpx.TransportError) -> str:
    if isinstance(problem, httpx.ProxyError):
        return "That is the proxy of HTTPS_PROXY or HTTP_PROXY speaking. Check its address and password, or set NO_PROXY."
    if "Hostname mismatch" in said or "not valid for" in said:
        return "Use the name that the certificate was made for."
    if "certificate has expired" in said:
        return "Ask the administrator of the plane to renew its certificate. Check this machine's clock, too."
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return (
            "Its certificate is of an authority that is not known here. Name a private one: "
            "`tradewind contexts add NAME URL --ca-file authority.pem`, or TRADEWIND_CA_FILE beside TRADEWIND_PLANE_URL."
        )
    if "WRONG_VERSION_NUMBER" in said or "RECORD_LAYER_FAILURE" in said:
        return "The address says https:// and the server speaks plain HTTP: write http://, or the port that has TLS."
    if isinstance(problem, httpx.TimeoutException):
        return "Check the address, and whether a firewall is between: nothing came back in time."
    if "Name or service not known" in said or "name resolution" in said or "nodename nor servname" in said:
        return "Check the host name in the address, and that this machine can resolve it."
    if "refused" in said:
        return "Nothing listens there. Check host and port, and that the API server runs."
    return "Check the address (`tradewind contexts list`), the network, and that the plane is up."


def explained(plane: str, answer: httpx.Response, *, airflow: str) -> Unreachable:
    """Something answered that is no plane. `airflow`: the version of the Airflow at that address, empty when none is."""
    path = urlsplit(str(answer.request.url)).path
    kind = answer.headers.get("content-type", "no content type").partition(";")[0]
    what = f"{plane} answers {path} with {answer.status_code} and {kind}"
    if answer.is_redirect:
        target = answer.headers.get("location", "nowhere")
        return Unreachable(
            f"{plane} redirects {path} to {target}: that is not an orchestration plane speaking",
            remedy="Use the final address, with https:// where that is meant. A sign-in page in front of the plane does not "
            "let commands through.",
        )
    if answer.status_code in (502, 503, 504):
        return Unreachable(
            f"{what}: a proxy is there, and the plane behind it is not",
            remedy="Wait until the API server runs, or ask the administrator of the plane.",
        )
    if airflow and answer.status_code < 500:
        return Unreachable(
            f"{plane} is an Airflow {airflow} that is no orchestration plane: {path} is not there",
            remedy="Install tradewind-provider into the environment of its API server and restart it.",
        )
    if airflow:
        return Unreachable(
            f"{what}: the plane failed to answer", remedy="Its API server's log says why. Try again."
        )
    if answer.status_code in (404, 405):
        return Unreachable(
            f"{what}: that is not an orchestration plane speaking",
            remedy="Check the address with its path prefix, and that tradewind-provider is installed there.",
        )
    if answer.status_code == 400 and urlsplit(plane).scheme == "http":
        return Unreachable(
            f"{what}: that is not an orchestration plane speaking",
            remedy="The port may be one for TLS: write https://.",
        )
    return Unreachable(
        f"{what}: that is not an orchestration plane speaking",
        remedy="Check the address. A proxy, a load balancer or a sign-in page may be answering in its place.",
    )
