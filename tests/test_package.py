"""The package: what `pip install` puts where, and that it paints without this folder.

The tests marked `wheel` build it and install it in a new environment, in about two minutes; they
need the package index and run by `pytest -m wheel`.
"""

import os
import re
import runpy
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import stylize
from stylize.images import reading

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MODULES = {"neural_style.py", "neural_style_transfer.py"}
DATA = PYPROJECT["tool"]["setuptools"]["package-data"]
DIST_INFO = f"neural_style_transfer-{stylize.__version__}.dist-info"


def call(*command, folder):
    """Runs a command in `folder` as a person would, without a trace of this checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def test_every_range_is_said_once():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    for extra in PYPROJECT["project"]["optional-dependencies"].values():
        lines += extra
    names = [re.match(r"[\w.-]+", line)[0].lower() for line in lines]
    assert len(names) == len(set(names))


def test_requirement_files_name_extras_that_there_are():
    extras = PYPROJECT["project"]["optional-dependencies"]
    for path in ROOT.glob("requirements-*.txt"):
        (named,) = re.findall(r"^-e \.\[(.+)\]$", path.read_text(), re.M)
        assert set(named.split(",")) <= extras.keys()


def test_image_is_built_from_what_the_ranges_allow_and_nothing_unnamed():
    pinned = {
        re.sub("[-_.]+", "-", name).lower(): version
        for name, version in re.findall(
            r"^([\w.-]+)==(\S+)(?: ;.*)? \\\n(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
            (ROOT / "constraints.txt").read_text(),
            re.MULTILINE,
        )
    }
    extras = PYPROJECT["project"]["optional-dependencies"]
    asked = [
        *(ROOT / "requirements.txt").read_text().splitlines(),
        *extras["app"],
        *extras["video"],
    ]
    for requirement in map(Requirement, [*asked, *PYPROJECT["build-system"]["requires"]]):
        assert pinned[requirement.name.lower()] in requirement.specifier, requirement
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.13-slim@sha256:[0-9a-f]{64}$", dockerfile, re.MULTILINE)
    installs = re.findall(r"pip install .*", dockerfile)
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    for used in re.findall(r"uses: (.*)", (ROOT / ".github/workflows/checks.yml").read_text()):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", used)


def test_commands_publish_the_page_to_this_computer_alone():
    """Docker opens a port to the whole network, past the firewall, unless an address is given."""
    places = ROOT / "Dockerfile", *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")
    texts = [path.read_text() for path in places]
    ports = re.findall(r"docker run .*?(?:-p|--publish)[ =](\S+)", "\n".join(texts))
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_pillow_is_one_without_known_faults():
    """Some of those before 12.3 write beyond a picture's memory."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    (pillow,) = [each for each in map(Requirement, lines) if each.name == "pillow"]
    assert "12.2.0" not in pillow.specifier and "12.3.0" in pillow.specifier


def test_api_page_is_up_to_date(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])  # the script adds this folder
    api = runpy.run_path(str(ROOT / "docs" / "make_api.py"))["api"]
    page = ROOT / "docs" / "api.md"
    assert page.read_text() == api(), "run: python docs/make_api.py"


def test_examples_of_the_page_are_in_the_package():
    layout = pytest.importorskip("stylize.apps.page.layout")
    pictures = {f"{name}.jpg" for name in (*layout.PHOTOS, *layout.PAINTINGS)}
    assert set(DATA["stylize.img"]) == pictures | {"README.md"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the source archive as `python -m build` does."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--outdir", folder, folder=ROOT)
    (source,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    assert source.name == f"neural_style_transfer-{stylize.__version__}.tar.gz"
    return wheel


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """(the folder of programs, what the wheel adds to site-packages) of a new environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / "python"
    site = Path(
        call(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder
        ).strip()
    )
    before = set(os.listdir(site))
    pip = [python, "-m", "pip", "install", "--quiet"]
    call(*pip, "--no-deps", "--no-compile", wheel, folder=folder)
    added = set(os.listdir(site)) - before
    call(*pip, wheel, folder=folder)
    return programs, added


@pytest.mark.wheel
@pytest.mark.timeout(600)
def test_wheel_holds_the_package_and_the_examples(wheel):
    files = set(zipfile.ZipFile(wheel).namelist())
    package = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("stylize/**/*.py")}
    data = {f"{room.replace('.', '/')}/{name}" for room, names in DATA.items() for name in names}
    contents = {name for name in files if not name.startswith(DIST_INFO)}
    assert contents == MODULES | package | data


@pytest.mark.wheel
@pytest.mark.timeout(600)
def test_wheel_adds_nothing_else_at_the_top(installed):
    _, added = installed
    assert added == MODULES | {"stylize", DIST_INFO}


@pytest.mark.wheel
@pytest.mark.timeout(600)
def test_wheel_paints(installed, full_weights_path, photo_path, painting_path, tmp_path):
    programs, _ = installed
    program = programs / "neural-style-transfer"
    assert stylize.__version__ in call(program, "--version", folder=tmp_path)
    assert "--content" in call(programs / "neural-style", "--help", folder=tmp_path)
    quick = ["--size", "32", "--iter", "1", "--weights", full_weights_path]
    call(program, photo_path, painting_path, "painted", *quick, folder=tmp_path)
    assert reading.load_image(tmp_path / "painted.png").height == 32
