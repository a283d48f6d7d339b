"""Folders and films painted from Python."""

import shutil

import numpy as np
import pytest
from PIL import Image

from stylize.apps.functions import paint_film, paint_folder
from stylize.errors import InputError
from stylize.images import clips
from stylize.runs import metadata

pytestmark = pytest.mark.usefixtures("one_process", "simple_loss")


@pytest.fixture
def quick(weights_path):
    """The options of a short run."""
    return {"weights": str(weights_path), "size": 24, "iterations": 1, "recipe": "keras"}


@pytest.fixture
def photos(tmp_path, photo_path):
    """A photo, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(photo_path, folder / "a.png")
    (folder / "b.png").write_bytes(b"no picture")
    return folder


def test_folder_is_painted_and_what_became_of_each_is_returned(
    photos, painting_path, quick, tmp_path, capsys
):
    results = tmp_path / "results"
    given = photos, painting_path, results
    outcomes = paint_folder(*given, **quick, strength=0.6)
    painted, failed = outcomes.values()
    assert (painted.status, failed.status) == ("painted", "failed")
    assert painted.work > 0 and painted.needed_mib > 0 == failed.work
    assert "b.png: not a picture" in failed.error
    path, _ = outcomes
    assert metadata.read_record(path)["settings"]["strength"] == 0.6
    finished, _ = paint_folder(*given, **quick, strength=0.6).values()
    assert finished.status == "finished"
    printed = capsys.readouterr()
    assert printed.out == "" and "b.png: not a picture" in printed.err


def test_film_of_frames_is_painted_and_its_path_returned(
    photo_path, painting_path, quick, tmp_path, capsys
):
    (tmp_path / "frames").mkdir()
    for number in (1, 2):
        Image.open(photo_path).save(tmp_path / "frames" / f"f_{number}.png")
    given = tmp_path / "frames", painting_path, tmp_path / "film.mp4"
    path = paint_film(*given, **quick, frames=True, fps=5)
    assert path == tmp_path / "film.mp4"
    assert clips.open_clip(str(path)).rate == 5
    assert capsys.readouterr().out == ""


def test_options_are_checked_by_name(photos, painting_path, photo_path, tmp_path):
    given = photos, painting_path, tmp_path / "results"
    for option, said in [
        (("sise", 3), "unknown option 'sise'; did you mean size"),
        (("strength", 2), "strength must be"),
        (("base", "x"), "unknown option 'base'"),
        (("resume", True), "^resume is for a photo"),
        (("recipe", "neighbor"), "recipe must be one of .*'neighbor'; did you mean neighbors"),
        (("recipe", {}), "recipe must be one of"),
        (("content_mask", np.ones((20, 20))), "content_mask must be a path, received ndarray"),
        (("temporal_weight", 1), "^temporal_weight is for a film"),
        (("jobs", 0), "^jobs must be at least 1"),
        (("frames", True), "paint_film paints a film, or frames"),
        (("watch", True), "watch is for the command line only; leave it out"),
        (("jobs", "2"), "jobs must be a whole number, received '2'"),
        (("format", "gif"), "format must be one of .*, received 'gif'"),
        (("overwrite", "no"), "overwrite must be True or False"),
        (("styles", "a.jpg"), "styles must be a list of paths"),
        (("weights", 5), "weights must be a text or a path"),
        (("like", ""), "like must be a text or a path, received ''"),
        (("styles", [""]), r"styles must be a list of paths, received \[''\]"),
        (("init", ""), "init must not be an empty name"),
        (("keep_mask", ""), "keep_mask must not be an empty name"),
        (("style_masks", ["a.png", ""]), "style_masks must not be an empty name"),
    ]:
        with pytest.raises(InputError, match=said):
            paint_folder(*given, **dict([option]))
    with pytest.raises(InputError, match="photos must not be an empty name"):
        paint_folder("", painting_path, tmp_path / "results")
    for index, name in enumerate(("photos", "style_reference", "results")):
        arrays = [*given[:index], np.zeros((20, 20, 3), np.uint8), *given[index + 1 :]]
        with pytest.raises(InputError, match=f"^{name} must be a path, received ndarray"):
            paint_folder(*arrays)
    with pytest.raises(InputError, match="photos or style_reference must be a folder"):
        paint_folder(photo_path, painting_path, tmp_path / "results")
    for missing in (("nix", painting_path), (photos, "nix.jpg")):
        with pytest.raises(InputError, match="nix.*: no such folder or picture; check the path"):
            paint_folder(*missing, tmp_path / "results")
    for name in ("x.avi", "x.gif"):
        said = f"{name}: a film is saved as MP4, not as ...; name it .*x.mp4$"
        with pytest.raises(InputError, match=said):
            paint_film(photos, painting_path, tmp_path / name, frames=True)
    with pytest.raises(InputError, match="clip must be a film"):
        paint_film(photo_path, painting_path, tmp_path / "film.mp4")
    assert not (tmp_path / "results").exists()
