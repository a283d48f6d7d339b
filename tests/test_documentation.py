"""What README, guide and recipe pages print is run here as it stands, but small."""

import importlib
import re
import runpy
import shutil
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import SimpleLoss, nothing_compiled
from PIL import Image

import neural_style_transfer as nst
import stylize
from stylize.images.ffmpeg import Mp4Writer
from stylize.parallel import pool
from stylize.runs import metadata
from stylize.vgg.weights import read_weights

ROOT = Path(__file__).parent.parent


def documented_commands():
    """Every indented or fenced `neural_style_transfer.py` command line, in the reader's order."""
    pages = [ROOT / "README.md", ROOT / "docs" / "guide.md", *(ROOT / "docs/recipes").iterdir()]
    text = "\n".join(page.read_text() for page in pages).replace("\\\n", " ")
    return re.findall(r"^ *(?:\S*/)?python neural_style_transfer\.py (.+)$", text, re.M)


@pytest.fixture
def loss_once(monkeypatch):
    """The loss of each kind, by the settings that are not the recipe's, is computed once only.

    From there on it is as with `simple_loss`. Returns the kinds.
    """
    kinds, stage_objective = set(), nst.stage_objective

    def first_then_simple(job, weights, stage, x=None, level=None):
        level = level or job.level(stage)
        own, recipe = job.settings, nst.RECIPES.get(job.recipe, job.settings)
        kind = job.recipe, job.previous is None, *(n for n in nst.SETTINGS if own[n] != recipe[n])
        if kind not in kinds:
            kinds.add(kind)
            with nothing_compiled():
                terms, gradient = stage_objective(job, weights, stage, x, level)(level.start)
            assert np.isfinite(terms).all() and np.isfinite(gradient).all()
        return SimpleLoss(level.base)

    monkeypatch.setattr(nst, "stage_objective", first_then_simple)
    return kinds


@pytest.mark.timeout(400)
def test_documented_commands(
    one_process, loss_once, weights_path, photo_path, painting_path, tmp_path, monkeypatch
):
    """Each as it stands, but quick, one after another, as later ones use the results of earlier."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "img").symlink_to(ROOT / "img")
    for name in ("base", "photo", "other"):
        Path(f"{name}.jpg").symlink_to(photo_path)
    for name in ("style_reference", "painting", "ref"):
        Path(f"{name}.jpg").symlink_to(painting_path)
    for name in ("kept", "faithful", "left", "right"):  # masks
        Image.linear_gradient("L").save(f"{name}.png")
    Path("frames").mkdir()
    shutil.copy(photo_path, "frames/frame_0001.png")
    for folder, picture in (("photos", photo_path), ("paintings", painting_path)):
        Path(folder).mkdir()
        shutil.copy(picture, folder)
    writer = Mp4Writer(Path("clip.mp4"), (48, 40))
    writer.write(Image.open(photo_path), 2)
    writer.finish()
    quick = ["--weights", str(weights_path), "--size", "40", "--iter", "2"]
    commands = documented_commands()
    assert len(commands) > 10
    for command in commands:
        if "--ray" in command:  # in parallel/test_ray_cluster.py
            continue
        try:
            status = nst.main([*command.split(), *quick])
        except SystemExit as exit:  # --show
            status = exit.code
        assert status == 0, command
        results = Path(command.split()[2]) if "--show" not in command else None
        ends = ("_at_iteration_1.png", ".mp4", "/index.html", "_compare.html")
        assert results is None or any(Path(f"{results}{end}").exists() for end in ends)
    assert {recipe for recipe, *_ in loss_once} >= nst.RECIPES.keys() - {"athalye"}  # no command


def test_readme_python(weights_path, tmp_path, monkeypatch):
    (program,) = re.findall(r"```python\n(.+?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(nst, "load_weights", lambda _: read_weights(weights_path))
    exec(program.replace("size=200", "size=24"))


def test_examples_of_the_api(
    one_process, loss_once, weights_path, photo_path, tmp_path, monkeypatch, capsys
):
    """One after another, as later ones use what earlier ones have made."""
    (tmp_path / "img").symlink_to(ROOT / "img")
    for folder in ("results", "photos"):
        (tmp_path / folder).mkdir()
    shutil.copy(photo_path, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    for module in (nst, pool):
        monkeypatch.setattr(module, "load_weights", lambda *_, **__: read_weights(weights_path))
    made: dict = {"__name__": "__main__"}
    program = (ROOT / "docs" / "examples.py").read_text().replace("size=200", "size=24")
    exec(compile(program, "docs/examples.py", "exec"), made)
    assert {path.name for path in Path("results").iterdir()} == {
        "coffee.jpg",
        "cat.jpg",
        "told.png",
        "run.pickle",
        "ink",
    }
    assert made["again"] == made["iterate"].image == made["resumed"].image
    assert [outcome.status for outcome in made["outcomes"].values()] == ["painted"]
    assert made["image"].height == 24 and made["pixels"].shape == (24, 32, 3)
    assert re.search(r"^100%, loss [\d.e+]+$", capsys.readouterr().out, re.M)
    assert metadata.read_record("results/told.png")["settings"]["strength"] == 0.6


def test_page_of_options_is_up_to_date(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])  # the script adds this folder
    page = runpy.run_path(str(ROOT / "docs" / "make_options.py"))["page"]
    assert (ROOT / "docs" / "options.md").read_text() == page(), "python docs/make_options.py"


def test_citation_is_one_that_github_reads():
    """A mapping of YAML with what CFF 1.2 requires, and the licence and version of the package."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation.keys() >= {"cff-version", "message", "title", "authors"}
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["license"] == package["license"]
    assert citation["version"] == stylize.__version__
    for work in (citation, *citation["references"]):
        assert work.keys() >= {"type", "title"}
        assert all(author.keys() & {"name", "family-names"} for author in work["authors"])


def test_every_paper_that_the_code_names_can_be_cited():
    """By its number of arXiv, or by the first author's family name."""
    works = yaml.safe_load((ROOT / "CITATION.cff").read_text())["references"]
    urls = [work.get("url", "") for work in works]
    authors = {author.get("family-names") for work in works for author in work["authors"]}
    for path in (ROOT / "neural_style_transfer.py", *(ROOT / "stylize").rglob("*.py")):
        text = path.read_text()
        for number in re.findall(r"arXiv:(\d{4}\.\d{5})", text):
            known = any(url.endswith(number) for url in urls)
            assert known, f"{path}: add arXiv:{number} to the references in CITATION.cff"
        for name in re.findall(r"Source: ([A-Z][a-z]+)(?: et al\.|,| and| 19| 20)", text):
            assert name in authors, f"{path}: add {name}'s paper to the references in CITATION.cff"


def test_readme_names_the_rooms_as_the_package_does():
    rooms = [line for line in stylize.__doc__.splitlines() if re.match("[a-z]+  ", line)]
    text = (ROOT / "README.md").read_text()
    named = re.findall(r"^    ([a-z]+)  +\w", text, re.M)
    assert named == [line.split()[0] for line in rooms if not line.startswith("errors")]


def test_documented_names_are_where_the_page_says():
    """In the script, or in the module that the section's title names."""
    sections = re.split(r"^## ", (ROOT / "docs/api.md").read_text(), flags=re.M)
    found = 0
    for title, _, text in (section.partition("\n") for section in sections):
        named = re.search(r"in `(stylize[\w.]+)`", title)
        module = importlib.import_module(named[1]) if named else nst
        for name in re.findall(r"^### (\w+)$", text, re.M):
            assert hasattr(module, name), f"{title}: {name}"
            found += 1
    assert found > 20
