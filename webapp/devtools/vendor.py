"""Fetch the third-party browser files we serve or test with, and prove that they are unchanged.

The pages load nothing from outside (content security policy: security.md, *Pages*), so the few
files we did not write are kept in the repository. ``python -m webapp.devtools.vendor`` fetches them
anew with the npm client; with ``--check`` it needs neither npm nor a network, and only compares the
files with their record, ``vendor.toml``.
"""

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVED = "webapp/pages/static/vendor"
TESTS = "tests/browser/vendor"
RECORD = ROOT / SERVED / "vendor.toml"

HEADER = """\
# Third-party files kept in this repository, unchanged; `python -m webapp.devtools.vendor` wrote it,
# and with `--check` fails when a file differs from what stands here.
"""


@dataclass(frozen=True)
class Package:
    """One npm package at an exact version, and which of its files go to which folder of ours."""

    name: str
    version: str
    licence: str
    folder: str
    files: tuple[str, ...]


PACKAGES = (
    # The base style of every page.
    Package(
        name="@picocss/pico",
        version="2.1.1",
        licence="MIT",
        folder=f"{SERVED}/pico",
        files=("css/pico.min.css", "LICENSE.md"),
    ),
    # The drawn signature.
    Package(
        name="signature_pad",
        version="5.1.4",
        licence="MIT",
        folder=f"{SERVED}/signature_pad",
        files=("dist/signature_pad.umd.min.js", "LICENSE"),
    ),
    # The API's documentation page.
    Package(
        name="swagger-ui-dist",
        version="5.35.0",
        licence="Apache-2.0",
        folder=f"{SERVED}/swagger-ui",
        files=(
            "swagger-ui.css",
            "swagger-ui-bundle.js",
            "swagger-ui-bundle.js.LICENSE.txt",
            "LICENSE",
            "NOTICE",
        ),
    ),
    # The accessibility checks of the browser tests; never served.
    Package(
        name="axe-core",
        version="4.14.1",
        licence="MPL-2.0",
        folder=TESTS,
        files=("axe.min.js", "LICENSE", "LICENSE-3RD-PARTY.txt"),
    ),
)


class VendorError(Exception):
    """A package could not be fetched, or lacks a file that we use."""


def fetch(package: Package) -> dict[str, bytes]:
    """Return the wanted files of ``package``, keyed by their path from the repository's root.

    Raises:
        VendorError: npm is missing or fails, or the package lacks a wanted file.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            subprocess.run(
                [
                    "npm",
                    "pack",
                    "--silent",
                    "--ignore-scripts",
                    f"{package.name}@{package.version}",
                ],
                cwd=scratch,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise VendorError(f"npm could not pack {package.name}@{package.version}") from error
        (archive,) = Path(scratch).glob("*.tgz")
        found: dict[str, bytes] = {}
        with tarfile.open(archive) as tar:
            for wanted in package.files:
                try:
                    member = tar.extractfile(f"package/{wanted}")
                except KeyError:
                    member = None
                if member is None:
                    raise VendorError(f"{package.name}@{package.version} has no {wanted}")
                found[f"{package.folder}/{Path(wanted).name}"] = member.read()
    return found


def write_all() -> None:
    """Fetch every package, write its files and the record of them.

    Raises:
        VendorError: as ``fetch``.
    """
    lines = [HEADER]
    for package in PACKAGES:
        files = fetch(package)
        lines.append("[[package]]")
        lines.append(f'name = "{package.name}"')
        lines.append(f'version = "{package.version}"')
        lines.append(f'licence = "{package.licence}"')
        lines.append("[package.sha256]")
        for path, content in files.items():
            target = ROOT / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            lines.append(f'"{path}" = "{hashlib.sha256(content).hexdigest()}"')
        lines.append("")
    RECORD.write_text("\n".join(lines), encoding="utf-8")


def differences() -> list[str]:
    """Return one sentence for each kept file that is missing, changed or not on record.

    Also names a package whose recorded version is not the one this module asks for.
    """
    packages = tomllib.loads(RECORD.read_text(encoding="utf-8")).get("package", [])
    recorded: dict[str, str] = {}
    for entry in packages:
        recorded.update(entry["sha256"])
    found = []
    for path, expected in recorded.items():
        target = ROOT / path
        if not target.is_file():
            found.append(f"{path} is missing")
        elif hashlib.sha256(target.read_bytes()).hexdigest() != expected:
            found.append(f"{path} differs from its record")
    for folder in (SERVED, TESTS):
        for target in sorted((ROOT / folder).rglob("*")):
            path = target.relative_to(ROOT).as_posix()
            if target.is_file() and target != RECORD and path not in recorded:
                found.append(f"{path} is not on record")
    versions = {entry["name"]: entry["version"] for entry in packages}
    for package in PACKAGES:
        if versions.get(package.name) != package.version:
            found.append(f"{package.name} {package.version} is wanted but not on record")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command line: fetch by default, compare with ``--check``. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m webapp.devtools.vendor", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare files with the record")
    check = parser.parse_args(arguments).check
    if not check:
        try:
            write_all()
        except VendorError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    found = differences()
    for difference in found:
        print(difference, file=sys.stderr)
    if not found:
        print("vendored files match their record")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
