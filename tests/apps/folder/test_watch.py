"""New photos are painted as they come. No clock runs here: each look is asked for."""

import itertools

import pytest
from conftest import disk_full, smooth_picture
from PIL import Image

import neural_style_transfer as nst
from stylize.apps import photo
from stylize.apps.folder import ledger, watch
from stylize.backend import files


class Stopped(Exception):
    """Nothing more happens in a test."""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos" / "results").mkdir(parents=True)
    return tmp_path / "photos"


@pytest.fixture
def looks(folder, monkeypatch):
    """What happens to the folder between two looks: put functions in."""
    events = []

    def sleep(seconds):
        if not events:
            raise Stopped
        events.pop(0)()

    monkeypatch.setattr(watch, "sleep", sleep)
    return events


@pytest.fixture
def command(folder, painting_path, weights_path, tmp_path):
    """Watches the folder; a painting there would be a photo too."""
    paths = [str(folder), str(painting_path), str(tmp_path / "results")]
    return [*paths, "--weights", str(weights_path), "--size", "24", "--iter", "1", "--watch"]


def nothing():
    pass


def told(folder, *others):
    """How many changes there were until nothing more happened."""
    count = itertools.count()
    try:
        for _ in watch.changes([str(folder), *map(str, others)], str(folder / "results")):
            next(count)
    except Stopped:
        return next(count)


def test_a_file_that_grows_is_waited_for(folder, looks):
    photo = folder / "a.jpg"
    looks += [lambda: photo.write_bytes(b"1"), lambda: photo.write_bytes(b"12"), nothing, nothing]
    assert told(folder) == 1


def test_each_change_is_told_once(folder, looks):
    (folder / "a.jpg").touch()
    looks += [nothing, nothing, (folder / "b.JPG").touch, nothing, (folder / "a.jpg").unlink]
    looks += [nothing, nothing]
    assert told(folder) == 3


def test_results_and_what_is_no_picture_do_not_count(folder, looks):
    looks += [(folder / name).touch for name in ("results/a.png", ".b.jpg", "c.txt")]
    looks += [nothing, nothing]
    assert told(folder) == 0


def test_two_folders_are_waited_for(folder, looks, tmp_path):
    """With none of either kind, there is nothing to paint."""
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "a.jpg").touch()
    looks += [nothing, nothing, (folder / "b.jpg").touch, nothing, nothing]
    assert told(folder, tmp_path / "styles", tmp_path / "no_folder.jpg") == 1


def test_a_folder_may_be_empty_at_first_and_bad_pictures_do_not_end_it(
    folder, looks, one_process, command, tmp_path, capsys
):
    def save(name):
        Image.fromarray(smooth_picture(40, 48, 1)).save(folder / name)

    looks += [nothing, (folder / "bad.png").touch, nothing, lambda: save("a.png"), nothing]
    with pytest.raises(Stopped):
        nst.main(command)
    out, err = capsys.readouterr()
    assert out.count("Waiting for new pictures") == 3
    assert "1 painted, 0 already finished, 1 failed" in out and "bad.png: the file is empty" in err
    assert (tmp_path / "results" / "a.png").exists()


def test_ctrl_c_while_it_waits_says_what_was_done(
    folder, looks, one_process, simple_loss, command, capsys
):
    def interrupt():
        raise KeyboardInterrupt

    Image.fromarray(smooth_picture(40, 48, 1)).save(folder / "a.png")
    looks += [nothing, nothing, interrupt]
    assert nst.main(command) == 130
    out, err = capsys.readouterr()
    assert out.endswith("\nEnded: 1 painted, 0 failed\n")
    assert err == ""


@pytest.mark.skipif(not files.fcntl, reason="Windows has no such locks")
def test_folder_of_results_that_another_run_has_is_refused_at_once(
    looks, one_process, command, tmp_path, capsys
):
    (tmp_path / "results").mkdir()
    with files.alone(tmp_path / "results" / ".folder"):  # as a run that paints
        assert nst.main(command) == 2  # and does not look once
    assert "results: another run is painting it; wait" in capsys.readouterr().err


def test_full_disk_ends_it(
    folder, looks, one_process, simple_loss, command, tmp_path, monkeypatch, capsys
):
    """Pictures left over do not change the folder, so it would never look at them again."""
    for name in ("a.png", "b.png"):
        Image.fromarray(smooth_picture(40, 48, 1)).save(folder / name)
    looks += [nothing, nothing]
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", disk_full)
        assert nst.main(command) == 1
    first, *_ = capsys.readouterr().err.splitlines()
    assert first.endswith("the same command, without --overwrite, paints what is left")
    looks += [nothing, nothing]
    with pytest.raises(Stopped):
        nst.main(command)
    assert {path.name for path in (tmp_path / "results").glob("*.png")} == {"a.png", "b.png"}


@pytest.mark.parametrize("during", ["the page", "a picture"])
def test_ctrl_c_has_something_to_resume_only_while_a_picture_is_painted(
    during, folder, looks, one_process, simple_loss, command, monkeypatch, capsys
):
    def interrupt(*_):
        raise KeyboardInterrupt

    where = (ledger, "write_index") if during == "the page" else (photo, "run")
    monkeypatch.setattr(*where, interrupt)
    Image.fromarray(smooth_picture(40, 48, 1)).save(folder / "a.png")
    looks += [nothing, nothing]
    assert nst.main(command) == 130
    out, err = capsys.readouterr()
    if during == "a picture":
        assert "error: interrupted; resume with: " in err
    else:
        assert (err, out.splitlines()[-1]) == ("", "Ended: 1 painted, 0 failed")
