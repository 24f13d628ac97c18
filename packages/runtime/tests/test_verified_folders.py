"""Of a folder that verifies its files, nothing is read that its owner does not trust. Real keys, and the command that signs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tradewind_protocol import manifests
from tradewind_protocol.manifests import Manifest, ManifestWrong
from tradewind_runtime.bundles import BundleRefused, VerifiedLocalDagBundle

bundles = pytest.importorskip("tradewind_agent.cli.bundles").bundles
testing = pytest.importorskip("click.testing")


class Site:
    """A folder of Dags, and the bundle of a site that trusts ada alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = directory / "dags"
        (self.folder / "lib").mkdir(parents=True)
        (self.folder / "dag.py").write_text("first")
        (self.folder / "lib" / "more.py").write_text("more")
        self.trusted = directory / "trusted"
        self.trusted.write_text("# keys of the site's owner\n" + self.key("ada"))
        self.key("mallory")

    def key(self, name: str) -> str:
        path = self.directory / name
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True
        )
        return path.with_suffix(".pub").read_text()

    def sign(self, name: str = "ada", *more: str, bundle: str = "dags") -> None:
        self.call("sign", str(self.folder), "--name", bundle, "--key", str(self.directory / name), *more)

    def call(self, *arguments: str, code: int = 0) -> str:
        done = testing.CliRunner().invoke(bundles, list(arguments))
        assert done.exit_code == code, done.output
        return str(done.output)

    def verify(self, code: int) -> str:
        return self.call("verify", str(self.folder), "--trusted-keys", str(self.trusted), code=code)

    def bundle(self) -> VerifiedLocalDagBundle:
        made = VerifiedLocalDagBundle(name="dags", path=str(self.folder), trusted_keys=str(self.trusted))
        made.initialize()
        return made

    def read(self) -> dict[str, str]:
        """What Airflow finds in the bundle."""
        path = self.bundle().path
        return {str(one.relative_to(path)): one.read_text() for one in path.rglob("*") if one.is_file()}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "bundles"))
    return Site(tmp_path)


def test_what_a_trusted_key_signed_is_read_and_nothing_else_of_the_folder(site: Site) -> None:
    site.sign()
    (site.folder / "planted.py").write_text("import os")
    assert site.read() == {"dag.py": "first", "lib/more.py": "more"}
    assert "planted.py" in site.verify(0)
    (site.folder / "dag.py").write_text("second")
    (site.folder / "lib" / "more.py").unlink()
    (site.folder / "planted.py").unlink()
    site.sign()
    assert site.read() == {"dag.py": "second"}


def test_another_key_a_changed_file_and_no_signature_are_refused_and_the_old_files_stay(site: Site) -> None:
    with pytest.raises(BundleRefused, match="manifest cannot be read"):
        site.bundle()
    site.sign()
    kept = site.bundle().path / "dag.py"
    (site.folder / "dag.py").write_text("changed")
    assert site.read()["dag.py"] == "first", "what was signed is there still"
    assert "dag.py" in site.verify(1)
    kept.unlink()
    with pytest.raises(BundleRefused, match=r"dag\.py is not the file that was signed"):
        site.bundle()
    (site.folder / "dag.py").write_text("first")
    assert site.read()["dag.py"] == "first"
    site.sign("mallory")
    with pytest.raises(BundleRefused, match="no key that the site's owner trusts"):
        site.bundle()
    assert "no key of" in site.verify(1)
    site.sign(bundle="other")
    with pytest.raises(BundleRefused, match="that of bundle 'other'"):
        site.bundle()
    assert kept.read_text() == "first"


def test_a_copy_that_was_changed_is_made_whole_before_it_is_read(site: Site) -> None:
    site.sign()
    place = site.bundle().path
    (place / "dag.py").write_text("changed by a task")
    (place / "added.py").write_text("added by a task")
    assert site.read() == {"dag.py": "first", "lib/more.py": "more"}


def test_nothing_planted_in_the_copy_is_there_when_it_is_read_again(site: Site) -> None:
    site.sign()
    place, elsewhere = site.bundle().path, site.directory / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True)
    (elsewhere / "evil.py").write_text("evil")
    (elsewhere / "more.py").write_text("more")
    (place / "planted").symlink_to(elsewhere)  # Airflow follows links to folders
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "dag.cpython-311.pyc").write_text("compiled from something else")
    (place / "lib" / "more.py").unlink()
    (place / "lib").rmdir()
    (place / "lib").symlink_to(elsewhere)  # has the signed content now, and other content later
    (place / "dag.py").unlink()
    (place / "dag.py").symlink_to(elsewhere / "dag.py")
    again = site.bundle().path
    assert {str(one.relative_to(again)) for one in again.rglob("*")} == {"dag.py", "lib", "lib/more.py"}
    assert not any(one.is_symlink() for one in again.rglob("*"))
    assert (elsewhere / "evil.py").exists(), "what a link names is left alone"
    assert not (elsewhere / "dag.py").exists()


def test_a_file_becomes_a_folder_and_a_folder_a_file(site: Site) -> None:
    site.sign()
    site.bundle()
    (site.folder / "lib" / "more.py").unlink()
    (site.folder / "lib").rmdir()
    (site.folder / "lib").write_text("a file")
    site.sign()
    assert site.read() == {"dag.py": "first", "lib": "a file"}
    (site.folder / "lib").unlink()
    (site.folder / "lib").mkdir()
    (site.folder / "lib" / "more.py").write_text("more")
    site.sign()
    assert site.read() == {"dag.py": "first", "lib/more.py": "more"}


def test_a_pipe_in_place_of_a_signed_file_is_refused_and_not_waited_for(site: Site) -> None:
    site.sign()
    (site.folder / "dag.py").unlink()
    os.mkfifo(site.folder / "dag.py")
    with pytest.raises(BundleRefused, match=r"dag\.py cannot be read: it is no plain file"):
        site.bundle()


def test_a_key_is_replaced_without_a_moment_in_which_nothing_runs(site: Site) -> None:
    site.sign()
    site.sign("mallory", "--add")
    assert site.read()
    site.trusted.write_text((site.directory / "mallory.pub").read_text())
    assert site.read()
    site.trusted.write_text("")
    with pytest.raises(BundleRefused):
        site.bundle()
    (site.folder / "dag.py").write_text("changed")
    site.call(
        *("sign", str(site.folder), "--name", "dags", "--key", str(site.directory / "ada"), "--add"), code=1
    )


def test_a_link_is_not_signed(site: Site) -> None:
    (site.folder / "link.py").symlink_to("/etc/passwd")
    assert "no plain file" in site.call(
        *("sign", str(site.folder), "--name", "dags", "--key", str(site.directory / "ada")), code=1
    )


@pytest.mark.parametrize(
    "path", ["../x.py", "/x.py", "a/../x.py", "a//x.py", "./x.py", "", "a\nb", manifests.FILE, "a\\b"]
)
def test_a_manifest_names_files_of_its_folder_in_one_way_only(path: str) -> None:
    text = json.dumps({"version": 1, "bundle": "dags", "files": {path: "0" * 64}}).encode()
    with pytest.raises(ManifestWrong):
        Manifest.parse(text)


# ---- Sigstore bundles


Key = ec.EllipticCurvePrivateKey | Ed25519PrivateKey

KEYS: dict[str, Key] = {
    "P-256, as cosign makes it": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": Ed25519PrivateKey.generate(),
}
HASHES: dict[str, hashes.HashAlgorithm] = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384()}


def pem(key: Key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sigstore_bundle(manifest: bytes, key: Key) -> dict[str, Any]:
    """As Sigstore's version 0.3 has it."""
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(manifest)
    else:
        signature = key.sign(manifest, ec.ECDSA(HASHES[key.curve.name]))
    digest = hashlib.sha256(manifest).digest()
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "any"}, "tlogEntries": []},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": base64.b64encode(digest).decode()},
            "signature": base64.b64encode(signature).decode(),
        },
    }


def bundled(site: Site, key: Key, **changed: Any) -> None:
    """The authors list the files, and another tool than ours signs."""
    site.call("manifest", str(site.folder), "--name", "dags")
    text = (site.folder / manifests.FILE).read_bytes()
    (site.folder / manifests.SIGSTORE).write_text(json.dumps({**sigstore_bundle(text, key), **changed}))


@pytest.mark.parametrize("kind", KEYS)
def test_a_sigstore_bundle_of_a_trusted_key_is_verified_without_a_network(site: Site, kind: str) -> None:
    site.trusted.write_text(site.trusted.read_text() + pem(KEYS[kind]))
    bundled(site, KEYS[kind])
    assert site.read() == {"dag.py": "first", "lib/more.py": "more"}
    assert "2 files are as they were signed" in site.verify(0)
    (site.folder / "dag.py").write_text("changed")
    assert "not as they were signed: dag.py" in site.verify(1)


def test_a_sigstore_bundle_of_another_key_of_another_manifest_or_of_a_certificate_is_refused(
    site: Site,
) -> None:
    key, other = KEYS["P-256, as cosign makes it"], ec.generate_private_key(ec.SECP256R1())
    site.trusted.write_text(pem(key))
    bundled(site, other)
    with pytest.raises(BundleRefused, match="no key that the site's owner trusts has signed"):
        site.bundle()
    assert "no key of" in site.verify(1)
    for wrong, words in [
        ({"messageSignature": sigstore_bundle(b"another", key)["messageSignature"]}, "it is of another file"),
        ({"verificationMaterial": {"certificate": {"rawBytes": ""}}}, "it is signed by a certificate"),
        ({"mediaType": "application/json"}, "it is no Sigstore bundle"),
        ({"messageSignature": {"signature": "?"}}, "its signature is no base64"),
        ({"messageSignature": None}, "it has no `messageSignature`"),
    ]:
        bundled(site, key, **wrong)
        with pytest.raises(BundleRefused, match=words):
            site.bundle()
        assert words in site.verify(1)


def test_a_sigstore_bundle_may_lie_beside_signatures_of_ours(site: Site) -> None:
    site.sign()
    text = (site.folder / manifests.FILE).read_bytes()
    key = ec.generate_private_key(ec.SECP256R1())
    (site.folder / manifests.SIGSTORE).write_text(json.dumps(sigstore_bundle(text, key)))
    assert site.read() == {"dag.py": "first", "lib/more.py": "more"}, "ada is trusted"
    site.trusted.write_text(pem(key))
    assert site.read() == {"dag.py": "first", "lib/more.py": "more"}, "and so is who signed the bundle"


def test_a_bundle_that_sigstores_own_library_made_is_verified(tmp_path: Path, site: Site) -> None:
    made = Path(__file__).parent / "sigstore"
    site.trusted.write_text(site.trusted.read_text() + (made / "ci.pub").read_text())
    folder = shutil.copytree(made / "dags", tmp_path / "made")
    bundle = VerifiedLocalDagBundle(name="dags", path=str(folder), trusted_keys=str(site.trusted))
    bundle.initialize()
    assert [one.name for one in bundle.path.iterdir()] == ["flow.py"]
    assert "1 files are as they were signed" in site.call(
        "verify", str(folder), "--trusted-keys", str(site.trusted)
    )
