"""The notebook, run from top to bottom as Jupyter does."""

from pathlib import Path

import pytest

from stylize import pictures

nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient")

ROOT = Path(pictures.__file__).parent.parent
NOTEBOOK = ROOT / "neural_style_transfer.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_outputs_are_stripped(notebook):
    for cell in notebook.cells:
        assert not cell.get("outputs") and not cell.get("execution_count")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's own
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_runs_shows_pictures_and_saves_the_last(notebook, full_weights_path, tmp_path):
    paint = notebook.cells[-1]
    for given, quick in {
        "SIZE = 400": "SIZE = 24",
        '"imagenet"': f'"{full_weights_path}"',
        '"results/painted.png"': f'"{tmp_path / "painted.png"}"',
    }.items():
        assert paint.source.count(given) == 1
        paint.source = paint.source.replace(given, quick)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(ROOT)}}).execute()
    photo_and_painting = notebook.cells[2].outputs
    assert ["image/png" in output.data for output in photo_and_painting] == [True, True]
    assert "image/png" in paint.outputs[0].data  # the picture took the place of the words
    assert pictures.load_image(tmp_path / "painted.png").size == (24, 24)
