"""The notebook, run from top to bottom as Jupyter and Colab do."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stylize.images import reading

nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient")

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "neural_style_transfer.ipynb"
# What Colab has: `upload` saves the file that a person chooses, `download` gives them one.
COLAB = """
import os, shutil

def upload():
    path = os.environ["UPLOADS"].split(os.pathsep)[len(uploaded)]
    uploaded.append(path)
    return {os.path.basename(shutil.copy(path, ".")): b""} if path else {}

def download(path):
    print("downloaded", path)

uploaded = []
"""

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Jupyter's own
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture
def project(tmp_path):
    """The files that the notebook needs, in a folder of their own."""
    folder = tmp_path / "origin" / "neural-style-transfer"
    for name in ("stylize", "img"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("neural_style_transfer.py", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def elsewhere(tmp_path):
    """An empty folder, as Colab starts in one."""
    folder = tmp_path / "content"
    folder.mkdir()
    return folder


@pytest.fixture
def colab(tmp_path, monkeypatch):
    """Puts Colab's module in the notebook's way. Returns what chooses the uploads."""
    package = tmp_path / "site" / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "files.py").write_text(COLAB)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    return lambda *paths: monkeypatch.setenv("UPLOADS", os.pathsep.join(map(str, paths)))


def fill_in(cell, **values):
    """Puts other values, as Python spells them, in place of a cell's own."""
    lines = cell.source.split("\n")
    for name, value in values.items():
        (index,) = (i for i, line in enumerate(lines) if line.startswith(f"{name} = "))
        lines[index] = f"{name} = {value!r}"
    cell.source = "\n".join(lines)


def run(notebook, folder):
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()


def set_up(notebook, folder):
    """Runs the first cell. Returns the folder that it takes the project from."""
    del notebook.cells[2:]
    notebook.cells.append(nbformat.v4.new_code_cell("print(nst.__file__)"))
    run(notebook, folder)
    return Path(notebook.cells[-1].outputs[0].text.strip()).parent


def said_by_first_cell(notebook, folder):
    """What it raises, run without a kernel: it is plain Python."""
    command = [sys.executable, "-c", notebook.cells[1].source]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ended.returncode
    return ended.stderr


def test_outputs_are_stripped(notebook):
    for cell in notebook.cells:
        assert not cell.get("outputs") and not cell.get("execution_count")


def test_runs_shows_pictures_and_saves_the_last(notebook, full_weights_path, tmp_path):
    result = tmp_path / "painted.png"
    paint = notebook.cells[-1]
    fill_in(paint, SIZE=24, WEIGHTS=str(full_weights_path), RESULT=str(result))
    run(notebook, ROOT)
    photo_and_painting = notebook.cells[2].outputs
    assert ["image/png" in output.data for output in photo_and_painting] == [True, True]
    words, picture, link = paint.outputs  # the last ones, in place of those before
    assert words.data["text/markdown"].startswith("Done in ")
    assert "image/png" in picture.data
    assert str(result) in link.data["text/html"]
    assert reading.load_image(result).size == (24, 24)


def test_mistakes_are_answered_in_one_line(notebook, full_weights_path):
    fill_in(notebook.cells[-1], SIZE=5, WEIGHTS=str(full_weights_path))
    with pytest.raises(nbclient.exceptions.CellExecutionError, match=r"at least 16 .* received 5"):
        run(notebook, ROOT)


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_clones_a_repository(notebook, project, elsewhere):
    git = ["git", "-C", project, "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=All"]):
        subprocess.run([*git, *command], check=True)
    fill_in(notebook.cells[1], REPOSITORY=f"file://{project}")
    assert set_up(notebook, elsewhere) == elsewhere / "project"


@pytest.mark.parametrize(("kind", "base_dir"), [("zip", "."), ("gztar", "neural-style-transfer")])
def test_unpacks_an_uploaded_archive(notebook, project, elsewhere, colab, kind, base_dir):
    root = project if base_dir == "." else project.parent
    colab(shutil.make_archive(project.parent / "archive", kind, root, base_dir))
    assert set_up(notebook, elsewhere) == elsewhere / "project" / base_dir


def test_colab_from_upload_to_download(
    notebook, project, elsewhere, colab, photo_path, painting_path, full_weights_path
):
    archive = shutil.make_archive(project.parent / "archive", "zip", project)
    colab(archive, photo_path, painting_path)
    fill_in(notebook.cells[2], UPLOAD=True)
    fill_in(notebook.cells[3], SIZE=24, ITERATIONS=1, WEIGHTS=str(full_weights_path))
    run(notebook, elsewhere)
    assert notebook.cells[3].outputs[-1].text == "downloaded results/painted.png\n"
    painted = reading.load_image(elsewhere / "project" / "results" / "painted.png")
    assert painted.size == (28, 24)  # the photo's shape


@pytest.mark.parametrize(
    ("upload", "complaint"),
    [
        ("", "One archive is needed, 0 came"),
        ("photo.png", "photo.png is no .zip or .tar.gz"),
        ("other.zip", "does not hold neural_style_transfer.py"),
    ],
)
def test_uploads_that_are_not_the_project(
    notebook, elsewhere, colab, photo_path, upload, complaint
):
    with zipfile.ZipFile(photo_path.with_name("other.zip"), "w") as archive:
        archive.writestr("README.md", "Another project")
    colab(upload and photo_path.with_name(upload))
    assert complaint in said_by_first_cell(notebook, elsewhere)


def test_says_what_to_do_without_the_files(notebook, elsewhere):
    assert "fill in REPOSITORY" in said_by_first_cell(notebook, elsewhere)


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_says_what_to_do_where_git_cannot_clone(notebook, elsewhere):
    fill_in(notebook.cells[1], REPOSITORY=f"file://{elsewhere}/nowhere")
    assert "check the address" in said_by_first_cell(notebook, elsewhere)


def test_installs_what_is_missing_only(notebook, project, elsewhere, tmp_path, monkeypatch):
    """What is there stays, even in a version that `requirements.txt` does not ask for."""
    with zipfile.ZipFile(elsewhere / "tiny_example-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_example.py", "")
        folder = "tiny_example-1.0.dist-info"
        wheel.writestr(
            f"{folder}/METADATA", "Metadata-Version: 2.1\nName: tiny-example\nVersion: 1.0"
        )
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any")
        wheel.writestr(f"{folder}/RECORD", "")
    (project / "requirements.txt").write_text("numpy>=999\ntiny-example>=1\n")
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": elsewhere,
        "TARGET": tmp_path / "new",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", str(value))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "new"))
    (tmp_path / "new").mkdir()
    assert set_up(notebook, project) == project
    assert notebook.cells[1].outputs[0].text.startswith("Installing tiny-example>=1\n")
    assert (tmp_path / "new" / "tiny_example.py").exists()
