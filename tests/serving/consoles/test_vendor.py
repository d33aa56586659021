"""The third-party files: pinned, without addresses, copied once."""

import json
import re
import shutil
from pathlib import Path

import pytest

from recsys.domain.errors import SettingsInvalid
from serving.consoles import vendor


def test_the_lock_names_exact_versions_and_no_address() -> None:
    lock = json.loads((vendor.HERE / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", package["version"]) for package in packages.values())
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


def test_the_manifest_asks_for_exact_versions() -> None:
    manifest = json.loads((vendor.HERE / "package.json").read_text())
    wanted = manifest["dependencies"] | manifest["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())


def _fail() -> list[str]:
    raise SettingsInvalid("asked for npm")


def test_files_that_are_up_to_date_are_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "npm_command", _fail)
    assert vendor.bring_up_to_date(vendor.VENDOR, vendor.FILES) is False


def test_files_of_another_lock_are_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(vendor.VENDOR, tmp_path / "vendor")
    (tmp_path / "vendor" / "stamp").write_text("of an older lock")
    monkeypatch.setattr(vendor, "npm_command", _fail)
    with pytest.raises(SettingsInvalid, match="asked for npm"):
        vendor.bring_up_to_date(tmp_path / "vendor", vendor.FILES)


def test_a_machine_without_npm_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsInvalid, match=r"install Node\.js 20 or newer"):
        vendor.npm_command()


def test_every_vendored_file_that_a_page_names_is_copied() -> None:
    pages = "".join(path.read_text() for path in (vendor.HERE / "templates").glob("*.html"))
    styles = (vendor.HERE / "static" / "console.css").read_text()
    named = set(re.findall(r"(?:asset\('|/static/)vendor/([\w./-]+)", pages)) | set(
        re.findall(r"url\(vendor/([\w./-]+)\)", styles)
    )
    assert named
    assert named <= set(vendor.FILES.values())
