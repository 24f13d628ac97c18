"""A git repository behind HTTP and SSH, on loopback, and a person who commits to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from getpass import getuser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tradewind.embedded import plane, processes

PERSON = {
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.org",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class Repository:
    """A bare repository and somebody's clone of it."""

    def __init__(self, directory: Path) -> None:
        self.bare = directory / "dags.git"
        self.clone = directory / "clone"
        git(directory, "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        git(self.bare, "config", "http.receivepack", "false")
        git(directory, "clone", "--quiet", str(self.bare), str(self.clone))
        git(self.clone, "checkout", "--quiet", "-B", "main")

    def commit(self, files: Mapping[str, str | None]) -> str:
        """Write the files (None: delete it), commit and push them. Returns the commit's hash."""
        for name, text in files.items():
            if text is None:
                (self.clone / name).unlink()
            else:
                (self.clone / name).write_text(text)
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--message", f"Change {', '.join(files)}")
        git(self.clone, "push", "--quiet", "origin", "main")
        return git(self.clone, "rev-parse", "HEAD").strip()


def git(directory: Path, *arguments: str) -> str:
    ran = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env={**os.environ, **PERSON},
        check=True,
        text=True,
        capture_output=True,
    )
    return ran.stdout


@contextmanager
def over_http(repository: Repository) -> Iterator[str]:
    """Serve it with git's own `http-backend`. Yields the repository's URL."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            ran = subprocess.run(
                ["git", "http-backend"],
                input=body,
                capture_output=True,
                check=True,
                env={
                    **os.environ,
                    "GIT_PROJECT_ROOT": str(repository.bare.parent),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "REQUEST_METHOD": self.command,
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "CONTENT_TYPE": self.headers.get("content-type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
                },
            )
            head, _, content = ran.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
            for name, value in {**fields, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="git over http", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{repository.bare.name}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def over_ssh(repository: Repository, directory: Path) -> Iterator[tuple[str, Path]]:
    """Serve it with an sshd of its own. Yields the repository's URL and the private key that opens it."""
    server = shutil.which("sshd") or "/usr/sbin/sshd"
    directory.mkdir()
    for name in ("host", "person"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True
        )
    port = plane.free_port()
    config = directory / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {directory}/host\nAuthorizedKeysFile {directory}/person.pub\n"
        f"PidFile {directory}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = processes.LocalProcess(
        "sshd", [server, "-D", "-e", "-f", config], env=dict(os.environ), log=directory / "log"
    )
    process.start()
    try:
        yield f"ssh://{getuser()}@127.0.0.1:{port}{repository.bare}", directory / "person"
    finally:
        process.stop(grace=5)


def has_ssh() -> bool:
    return bool(shutil.which("ssh")) and bool(shutil.which("sshd") or Path("/usr/sbin/sshd").exists())
