"""A bundle in Git of which no file is read before its commit is verified: signed by a key that the site's owner trusts, on a branch,
tagged. Git itself verifies, so signatures are SSH's or GPG's.

Whatever reads a bundle makes it, initializes it and refreshes it first: tasks, callbacks, the dag processor. A commit that is
refused is never what the working tree of a tracked bundle has; that of a version is not read.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from airflow.providers.git.bundles.git import GitDagBundle

from tradewind_protocol.patterns import fits
from tradewind_runtime.airflow.owner_rules import VersionRefused

_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_PATIENCE: Final = 60.0  # seconds for Git to look at one commit


class CommitRefused(VersionRefused):
    """The site's owner does not let this commit run."""


class VerifiedGitDagBundle(GitDagBundle):
    """Airflow's `GitDagBundle`, of commits that fit all that is given:

    `allowed_signers`: a file of SSH keys, as `ssh-keygen` has it in ALLOWED SIGNERS. `gnupg_home`: a folder with a GPG key ring whose keys
    are trusted. `branch`: the commit is on it. `tags`: one of these patterns fits a tag of the commit.
    """

    tracking_ref: str

    def __init__(
        self,
        *,
        allowed_signers: str | None = None,
        gnupg_home: str | None = None,
        branch: str | None = None,
        tags: Sequence[str] | None = None,
        **git: Any,
    ) -> None:
        super().__init__(**git)
        if not (allowed_signers or gnupg_home or branch or tags):
            raise ValueError(
                f"bundle {self.name!r} verifies nothing; give it allowed_signers, gnupg_home, branch or tags"
            )
        for file in filter(None, (allowed_signers, gnupg_home)):
            if not os.path.isabs(file):
                raise ValueError(f"bundle {self.name!r}: {file!r} has to be an absolute path")
        self._signers, self._gnupg_home = allowed_signers, gnupg_home
        self._branch, self._tags = branch, tuple(tags or ())

    def _initialize(self) -> None:
        super()._initialize()  # which refreshes what has no version
        if self.version:
            if _COMMIT.fullmatch(self.version) is None:
                raise CommitRefused(
                    f"bundle {self.name!r} runs commits, and {self.version[:100]!r} is not the id of one"
                )
            if not Path(self.bare_repo_path).exists():
                with self._hook_env():
                    self._clone_bare_repo_if_required()
            self._require(self.version)

    def refresh(self) -> None:
        """Move the working tree to the newest commit of `tracking_ref`. Raises CommitRefused, and then it stays where it is."""
        if self.version:
            super().refresh()
            return
        followed = self.tracking_ref
        with self.lock(), self._hook_env():
            self._fetch_bare_repo()
        commit = self._resolved(followed)
        self._require(commit)
        # To this commit and no other: the branch may have gone on meanwhile.
        self.tracking_ref = commit
        try:
            super().refresh()
        finally:
            self.tracking_ref = followed

    # ---- what is verified

    def _resolved(self, reference: str) -> str:
        """The commit that a branch, a tag or an id is, in Airflow's order."""
        for name in (f"refs/heads/{reference}", reference):
            done = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            if done.returncode == 0:
                return done.stdout.strip()
        raise CommitRefused(f"bundle {self.name!r}: the repository has no {reference!r}")

    def _require(self, commit: str) -> None:
        """Return when the commit fits. Raises CommitRefused."""
        if self._signers or self._gnupg_home:
            self._require_signature(commit)
        if self._branch:
            on_it = self._git("merge-base", "--is-ancestor", commit, f"refs/heads/{self._branch}")
            if on_it.returncode != 0:
                raise self._refusal(commit, f"it is not on branch {self._branch!r}")
        if self._tags:
            listed = self._git(
                "for-each-ref", f"--points-at={commit}", "--format=%(refname:lstrip=2)", "refs/tags"
            )
            if listed.returncode != 0 or not any(fits(tag, self._tags) for tag in listed.stdout.split()):
                raise self._refusal(commit, f"no tag of it fits {', '.join(self._tags)}")

    def _require_signature(self, commit: str) -> None:
        for file in filter(None, (self._signers, self._gnupg_home)):
            if not os.access(file, os.R_OK):
                raise self._refusal(commit, f"{file} cannot be read, so no signature can be verified")
        # `fully`: a good signature of a key that nobody named is none.
        done = self._git(
            *("-c", f"gpg.ssh.allowedSignersFile={self._signers or os.devnull}"),
            *("-c", "gpg.minTrustLevel=fully"),
            *("verify-commit", commit),
        )
        if done.returncode != 0:
            said = " ".join(done.stderr.split())[:300]
            why = "no key that the site's owner trusts has signed it"
            raise self._refusal(commit, why, said or "it has no signature")

    def _refusal(self, commit: str, why: str, more: str = "") -> CommitRefused:
        return CommitRefused(f"bundle {self.name!r} does not run commit {commit}: {why}", more)

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Git on the bare repository, under no configuration but this one."""
        bare = str(self.bare_repo_path)
        own = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.devnull,
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GNUPGHOME": self._gnupg_home or os.devnull,
        }
        return subprocess.run(
            [
                *("git", "--git-dir", bare, "-c", f"safe.directory={bare}"),
                *("-c", "gpg.program=gpg", "-c", "gpg.ssh.program=ssh-keygen"),
                *arguments,
            ],
            env=own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )

    @contextmanager
    def _hook_env(self) -> Iterator[None]:
        with self.hook.configure_hook_env() if self.hook else nullcontext():
            yield
