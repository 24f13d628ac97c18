"""The commands `tradewind-agent bundles`: sign what a folder of Dags has, and verify it as a site does."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from tradewind_protocol import manifests
from tradewind_protocol.manifests import Manifest, ManifestWrong
from tradewind_protocol.sigstore_bundles import BundleWrong

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tradewind_protocol.manifest_signatures import Signature

_FOLDER = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
_LEFT_OUT = (".git", "__pycache__")


_NAME = click.option("--name", required=True, help="Name of the bundle in the agents' settings.")


@click.group()
def bundles() -> None:
    """Sign a folder of Dags, so that sites with a VerifiedLocalDagBundle run it."""


@bundles.command()
@_FOLDER
@_NAME
def manifest(folder: Path, name: str) -> None:
    """Write a manifest of all files of FOLDER into FOLDER, for another tool to sign.

    For example: cosign sign-blob --key K --bundle FOLDER/tradewind-manifest.sigstore.json FOLDER/tradewind-manifest.json
    """
    made = Manifest(name, dict(_files(folder)))
    (folder / manifests.FILE).write_bytes(made.text())
    for stale in (manifests.SIGNATURES, manifests.SIGSTORE):
        (folder / stale).unlink(missing_ok=True)
    click.echo(f"listed {len(made.files)} files of bundle {name}; they are not signed yet")


@bundles.command()
@_FOLDER
@_NAME
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Ed25519 private key without a passphrase, of OpenSSH (`ssh-keygen -t ed25519`) or PEM.",
)
@click.option("--add", is_flag=True, help="Add a signature beside the existing ones, to replace a key.")
def sign(folder: Path, name: str, key_file: Path, add: bool) -> None:
    """Write a manifest of all files of FOLDER, and its signature, into FOLDER."""
    key = _private_key(key_file)
    manifest = Manifest(name, dict(_files(folder))).text()
    signature = base64.b64encode(key.sign(manifests.signed(manifest)))
    place, beside = folder / manifests.FILE, folder / manifests.SIGNATURES
    if add:
        if not place.is_file() or place.read_bytes() != manifest:
            _fail(f"{folder} has changed since it was signed; sign it without --add")
        signature = beside.read_bytes().rstrip() + b"\n" + signature
    place.write_bytes(manifest)
    beside.write_bytes(signature + b"\n")
    click.echo(f"signed {len(Manifest.parse(manifest).files)} files of bundle {name}")


@bundles.command()
@_FOLDER
@click.option(
    "--trusted-keys",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public keys as a site has them: of OpenSSH, one a line, or PEM as cosign writes it.",
)
def verify(folder: Path, trusted_keys: Path) -> None:
    """Say whether a site with these keys runs what is in FOLDER. Exits with 0 when it does, 1 when not."""
    from tradewind_protocol import manifest_signatures  # not before it is needed: it imports cryptography

    try:
        text = (folder / manifests.FILE).read_bytes()
        manifest = Manifest.parse(text)
        signatures = _signatures(folder, text)
    except OSError as error:
        _fail(f"{folder} is not signed: {error.strerror}: {error.filename}")
    except ManifestWrong as wrong:
        _fail(f"the manifest of {folder} cannot be used: {wrong}")
    except BundleWrong as wrong:
        _fail(f"{manifests.SIGSTORE} cannot be used: {wrong}")
    keys = manifest_signatures.trusted_keys(trusted_keys.read_bytes())
    if not any(one.is_of(key) for key in keys for one in signatures):
        _fail(f"no key of {trusted_keys} has signed the manifest of {folder}")
    found = dict(_files(folder))
    wrong_ones = sorted(path for path, wanted in manifest.files.items() if found.get(path) != wanted)
    if wrong_ones:
        _fail(f"not as they were signed: {', '.join(wrong_ones[:10])}")
    others = sorted(found.keys() - manifest.files.keys())
    if others:
        click.echo(f"not signed, and not read by sites: {', '.join(others[:10])}", err=True)
    click.echo(f"bundle {manifest.bundle}: {len(manifest.files)} files are as they were signed")


def _signatures(folder: Path, text: bytes) -> list[Signature]:
    """Raises OSError when there are none, and BundleWrong."""
    from tradewind_protocol import manifest_signatures

    bundle, lines = folder / manifests.SIGSTORE, folder / manifests.SIGNATURES
    found = [manifest_signatures.in_sigstore_bundle(bundle.read_bytes(), text)] if bundle.exists() else []
    if lines.exists() or not found:
        found += manifest_signatures.in_lines(lines.read_bytes(), text)
    return found


def _files(folder: Path) -> list[tuple[str, str]]:
    """Each file below the folder with its hash. Raises ClickException for a link, which names a file elsewhere."""
    found = []
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if one not in _LEFT_OUT)
        for name in sorted(names):
            path = Path(here, name)
            relative = path.relative_to(folder).as_posix()
            if relative in manifests.OURS:
                continue
            if path.is_symlink() or not path.is_file():
                raise click.ClickException(f"{path} is no plain file, and cannot be signed")
            if not manifests.is_inside(relative):
                raise click.ClickException(f"{path} has a name that cannot be signed")
            found.append((relative, hashlib.sha256(path.read_bytes()).hexdigest()))
    return found


def _private_key(file: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    text = file.read_bytes()
    try:
        load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in text else load_pem_private_key
        key = load(text, password=None)
    except (ValueError, TypeError) as error:
        _fail(f"{file} is no private key that can be read without a passphrase ({type(error).__name__})")
    if not isinstance(key, Ed25519PrivateKey):
        _fail(f"{file} is no Ed25519 key; make one with `ssh-keygen -t ed25519`")
    return key


def _fail(why: str) -> NoReturn:
    click.echo(f"tradewind-agent: {why}", err=True)
    sys.exit(1)
