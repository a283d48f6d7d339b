"""New photos are painted as they come. No clock runs here: each look is asked for."""

import itertools

import pytest
from conftest import smooth_picture
from PIL import Image

import neural_style_transfer as nst
from stylize.apps import photo
from stylize.apps.folder import ledger, watch


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


def nothing():
    pass


def told(folder):
    """How many changes there were until nothing more happened."""
    count = itertools.count()
    try:
        for _ in watch.changes([str(folder)], str(folder / "results")):
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


def test_a_folder_may_be_empty_at_first_and_bad_pictures_do_not_end_it(
    folder, looks, one_process, painting_path, weights_path, tmp_path, monkeypatch, capsys
):
    def save(name):
        Image.fromarray(smooth_picture(40, 48, 1)).save(folder / name)

    looks += [nothing, (folder / "bad.png").touch, nothing, lambda: save("a.png"), nothing]
    results = tmp_path / "results"
    command = [str(folder), str(painting_path), str(results), "--weights", str(weights_path)]
    with pytest.raises(Stopped):
        nst.main([*command, "--size", "24", "--iter", "1", "--watch"])
    out, err = capsys.readouterr()
    assert out.count("Waiting for new pictures") == 3
    assert "1 painted, 0 already finished, 1 failed" in out and "bad.png: the file is empty" in err
    assert (results / "a.png").exists()


def test_ctrl_c_while_it_waits_says_what_was_done(
    folder, looks, one_process, simple_loss, painting_path, weights_path, tmp_path, capsys
):
    def interrupt():
        raise KeyboardInterrupt

    Image.fromarray(smooth_picture(40, 48, 1)).save(folder / "a.png")
    looks += [nothing, nothing, interrupt]
    command = [str(folder), str(painting_path), str(tmp_path / "results")]
    command += ["--weights", str(weights_path), "--size", "24", "--iter", "1", "--watch"]
    assert nst.main(command) == 130
    out, err = capsys.readouterr()
    assert out.endswith("\nEnded: 1 painted, 0 failed\n")
    assert err == ""


@pytest.mark.parametrize("during", ["the page", "a picture"])
def test_ctrl_c_has_something_to_resume_only_while_a_picture_is_painted(
    during,
    folder,
    looks,
    one_process,
    simple_loss,
    painting_path,
    weights_path,
    tmp_path,
    monkeypatch,
    capsys,
):
    def interrupt(*_):
        raise KeyboardInterrupt

    where = (ledger, "write_index") if during == "the page" else (photo, "run")
    monkeypatch.setattr(*where, interrupt)
    Image.fromarray(smooth_picture(40, 48, 1)).save(folder / "a.png")
    looks += [nothing, nothing]
    command = [str(folder), str(painting_path), str(tmp_path / "results")]
    command += ["--weights", str(weights_path), "--size", "24", "--iter", "1", "--watch"]
    assert nst.main(command) == 130
    out, err = capsys.readouterr()
    if during == "a picture":
        assert "error: interrupted; resume with: " in err
    else:
        assert (err, out.splitlines()[-1]) == ("", "Ended: 1 painted, 0 failed")
