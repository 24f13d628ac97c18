"""Of a bundle that verifies its commits, nothing is read that its owner does not trust. Real Git, real keys."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support import git_server
from support.git_server import git
from tradewind_runtime.bundles import CommitRefused, VerifiedGitDagBundle


class Signer:
    """A person with an SSH key."""

    def __init__(self, directory: Path, name: str) -> None:
        self.key = directory / name
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.key)], check=True
        )
        self.line = f"{name}@example.org {self.key.with_suffix('.pub').read_text().strip()}\n"


class Site:
    """A repository, and the bundle of a site that trusts ada alone."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(directory / "bundles"))
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        self.repository = git_server.Repository(directory)
        self.ada, self.mallory = Signer(directory, "ada"), Signer(directory, "mallory")
        self.signers = directory / "allowed_signers"
        self.signers.write_text(self.ada.line)

    def commit(self, text: str, signer: Signer | None) -> str:
        clone = self.repository.clone
        for name, value in [("gpg.format", "ssh"), ("user.signingkey", str(signer.key) if signer else "")]:
            git(clone, "config", name, value)
        git(clone, "config", "commit.gpgsign", "true" if signer else "false")
        return self.repository.commit({"dag.py": text})

    def bundle(self, version: str | None = None, **more: Any) -> VerifiedGitDagBundle:
        options = {"allowed_signers": str(self.signers), **more}
        return VerifiedGitDagBundle(
            name="dags", version=version, tracking_ref="main", repo_url=str(self.repository.bare), **options
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


def content(bundle: VerifiedGitDagBundle) -> str:
    return (bundle.path / "dag.py").read_text()


@pytest.mark.parametrize("versioned", [True, False])
def test_a_commit_of_a_trusted_key_is_read(site: Site, versioned: bool) -> None:
    commit = site.commit("1", site.ada)
    bundle = site.bundle(commit if versioned else None)
    bundle.initialize()
    assert bundle.is_initialized and content(bundle) == "1"


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("by", ["mallory", "nobody"])
def test_a_commit_of_another_key_or_of_none_is_not(site: Site, by: str, versioned: bool) -> None:
    commit = site.commit("1", getattr(site, by, None))
    for _ in range(2):  # also once it is on the disk
        bundle = site.bundle(commit if versioned else None)
        with pytest.raises(CommitRefused, match="no key that the site's owner trusts has signed it"):
            bundle.initialize()
        assert not bundle.is_initialized


def test_a_refresh_stays_at_the_last_commit_that_is_trusted(site: Site) -> None:
    good = site.commit("1", site.ada)
    bundle = site.bundle()
    bundle.initialize()
    site.commit("2", site.mallory)
    for _ in range(2):
        with pytest.raises(CommitRefused):
            bundle.refresh()
        assert content(bundle) == "1"
        assert bundle.get_current_version().version == good
    site.commit("3", site.ada)
    bundle.refresh()
    assert (content(bundle), bundle.tracking_ref) == ("3", "main")


def test_a_version_that_was_fetched_before_the_owner_asked_for_signatures_is_judged(site: Site) -> None:
    from airflow.providers.git.bundles.git import GitDagBundle

    commit = site.commit("1", site.mallory)
    GitDagBundle(
        name="dags", version=commit, tracking_ref="main", repo_url=str(site.repository.bare)
    ).initialize()
    with pytest.raises(CommitRefused):
        site.bundle(commit).initialize()


def test_a_key_is_rotated_with_two_of_them(site: Site) -> None:
    commit = site.commit("1", site.mallory)
    site.signers.write_text(site.ada.line + site.mallory.line)
    site.bundle(commit).initialize()
    site.signers.write_text(site.ada.line)
    with pytest.raises(CommitRefused):
        site.bundle(commit).initialize()


def test_keys_that_cannot_be_read_let_nothing_run(site: Site) -> None:
    commit = site.commit("1", site.ada)
    site.signers.unlink()
    with pytest.raises(CommitRefused, match="cannot be read"):
        site.bundle(commit).initialize()


def test_a_name_is_no_version(site: Site) -> None:
    site.commit("1", site.ada)
    with pytest.raises(CommitRefused, match="is not the id of one"):
        site.bundle("main").initialize()


def test_a_commit_is_on_the_branch(site: Site) -> None:
    site.commit("1", None)
    git(site.repository.clone, "checkout", "--quiet", "-b", "side")
    (site.repository.clone / "dag.py").write_text("2")
    git(site.repository.clone, "commit", "--quiet", "--all", "--message", "aside")
    git(site.repository.clone, "push", "--quiet", "origin", "side")
    aside = git(site.repository.clone, "rev-parse", "HEAD").strip()
    main = git(site.repository.clone, "rev-parse", "main").strip()
    site.bundle(main, allowed_signers=None, branch="main").initialize()
    with pytest.raises(CommitRefused, match="it is not on branch 'main'"):
        site.bundle(aside, allowed_signers=None, branch="main").initialize()


def test_a_commit_has_a_tag_that_fits(site: Site) -> None:
    commit = site.commit("1", None)
    with pytest.raises(CommitRefused, match=r"no tag of it fits v\*"):
        site.bundle(commit, allowed_signers=None, tags=["v*"]).initialize()
    git(site.repository.clone, "tag", "v1")
    git(site.repository.clone, "push", "--quiet", "origin", "v1")
    bundle = site.bundle(allowed_signers=None, tags=["v*"])
    bundle.initialize()
    assert content(bundle) == "1"


def test_a_bundle_that_verifies_nothing_is_a_mistake(site: Site) -> None:
    with pytest.raises(ValueError, match="verifies nothing"):
        site.bundle(allowed_signers=None)
    with pytest.raises(ValueError, match="absolute path"):
        site.bundle(allowed_signers="signers")


def test_a_gpg_key_of_the_owners_ring_counts(
    site: Site, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    rings = [Path(f"/tmp/{tmp_path_factory.mktemp('ring').name}-{name}-{id(site)}") for name in ("a", "b")]
    for ring in rings:
        ring.mkdir(mode=0o700)
        made = ["gpg", "--homedir", str(ring), "--batch", "--quiet", "--passphrase", ""]
        subprocess.run([*made, "--quick-gen-key", "person@example.org", "ed25519", "sign"], check=True)
    clone = site.repository.clone
    monkeypatch.setenv("GNUPGHOME", str(rings[0]))
    for name, value in [("gpg.format", "openpgp"), ("user.signingkey", "person@example.org")]:
        git(clone, "config", name, value)
    git(clone, "config", "commit.gpgsign", "true")
    commit = site.repository.commit({"dag.py": "1"})
    site.bundle(commit, allowed_signers=None, gnupg_home=str(rings[0])).initialize()
    with pytest.raises(CommitRefused, match="no key that the site's owner trusts"):
        site.bundle(commit, allowed_signers=None, gnupg_home=str(rings[1])).initialize()
    for ring in rings:
        subprocess.run(["gpgconf", "--homedir", str(ring), "--kill", "all"], check=True)
