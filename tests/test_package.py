"""What is published: source distribution and wheel, built from the repository's files alone, and used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
VERSION = "0.2.0"


def run(*command, folder):
    """Run a command far from the sources; give what it prints."""
    environment = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "COLUMNS")}
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the repository's files without what was built or computed among them."""
    folder = tmp_path_factory.mktemp("sources")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
    """Folders of the source distribution and the wheel made from it, and of that made from the sources."""
    published, direct = tmp_path_factory.mktemp("published"), tmp_path_factory.mktemp("direct")
    run(sys.executable, "-m", "build", "--outdir", published, sources, folder=published)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", direct, sources, folder=direct)
    return published, direct


def contents(path):
    """Names and bytes of the files of an archive."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive if each.isfile()}


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_wheel_holds_the_package_and_its_scenarios_and_nothing_else(sources, built):
    published, direct = built
    (wheel,), (same,) = published.glob("*.whl"), direct.glob("*.whl")
    found = contents(wheel)
    expected = {f"asmrisk/{name}": text for name, text in files(sources / "src" / "asmrisk").items()}
    expected |= {f"asmrisk/scenarios/{name}": text for name, text in files(sources / "scenarios").items()}
    for ending in ("py", "typed", "md", "svg", "css", "js", "j2", "csv", "toml"):
        assert any(name.endswith(f".{ending}") for name in expected), ending
    metadata = {name for name in found if name.startswith(f"asmrisk-{VERSION}.dist-info/")}
    assert found.keys() - metadata == expected.keys()
    assert all(found[name] == text for name, text in expected.items())
    # From the source distribution it is the same as from the repository.
    assert found == contents(same)


def test_the_source_distribution_holds_the_repository(sources, built):
    (archive,) = built[0].glob("*.tar.gz")
    found = contents(archive)
    expected = {f"asmrisk-{VERSION}/{name}": text for name, text in files(sources).items()}
    assert found.keys() - expected.keys() == {f"asmrisk-{VERSION}/PKG-INFO"}
    assert expected.keys() - found.keys() == set()
    assert all(found[name] == text for name, text in expected.items())


def test_neither_tells_where_it_was_built(sources, built):
    places = [str(each).encode() for each in (ROOT, sources, *built, Path.home()) if str(each) != "/"]
    for path in built[0].iterdir():
        for name, text in contents(path).items():
            assert not name.startswith("/")
            assert ".." not in Path(name).parts
            assert not any(place in text for place in places), f"{path.name}: {name}"


def test_the_wheel_alone_runs_shows_and_reports(built, tmp_path):
    (wheel,) = built[0].glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "venv", folder=tmp_path)
    program = tmp_path / "venv" / "bin" / "asmrisk"
    run(program.with_name("pip"), "install", "--quiet", wheel, folder=tmp_path)
    assert VERSION in run(program, "--version", folder=tmp_path)
    assert run(program, "docs", folder=tmp_path).strip()
    assert run(program, "docs", "start", folder=tmp_path).startswith("# Start")
    options = ("--set", "population.clinicians=200", "--draws", "20")
    run(program, "run", "baseline", *options, "--out", "small.zarr", folder=tmp_path)
    assert "Medicare" in run(program, "summarize", "small.zarr", folder=tmp_path)
    run(program, "report", "small.zarr", "--out", "report.html", folder=tmp_path)
    assert "</html>" in (tmp_path / "report.html").read_text(encoding="utf-8")
