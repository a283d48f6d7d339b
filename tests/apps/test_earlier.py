"""Earlier results: moved aside where they were made otherwise, and never lost."""

import threading

import numpy as np
import pytest
from PIL import Image

from stylize.apps import earlier
from stylize.images.writing import save_image
from stylize.runs import metadata

RECORD = {
    "settings": {"size": 16},
    "recipe": "keras",
    "base": {"name": "photo.jpg", "sha256": "1"},
    "program": "neural_style_transfer 1",
    "weights": {"sha256": "2"},
    "format": "png",
    "bits": 8,
}
OTHER = RECORD | {"settings": {"size": 17}}


def save(path, record=None):
    """A picture that says how it was made, or does not."""
    text = metadata.to_text(record) if record else ""
    save_image(np.zeros((16, 16, 3)), path, description=text)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_numbers_go_on_from_the_highest(tmp_path):
    prefix = str(tmp_path / "r")
    for name in ("r.png", "r_losses.csv", "r.3_at_iteration_0.png", "r.x.png", "rr.9.png"):
        (tmp_path / name).write_text(name)
    paths = [tmp_path / "r.png", tmp_path / "r_losses.csv", tmp_path / "r_gone.png"]
    moved = earlier.set_aside(prefix, paths)
    assert {path.name: new.name for path, new in moved.items()} == {
        "r.png": "r.4.png",
        "r_losses.csv": "r.4_losses.csv",
    }
    assert [new.read_text() for new in moved.values()] == ["r.png", "r_losses.csv"]
    assert not paths[0].exists()


def test_name_that_another_run_takes_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    (tmp_path / "r.png").write_text("earlier")
    (tmp_path / "r.1.png").write_text("theirs")
    monkeypatch.setattr(earlier, "_last_number", lambda prefix: 0)  # it was not there yet
    moved = earlier.set_aside(str(tmp_path / "r"), [tmp_path / "r.png"])
    assert moved == {tmp_path / "r.png": tmp_path / "r.2.png"}
    assert (tmp_path / "r.1.png").read_text() == "theirs"


def test_many_at_once_lose_nothing(tmp_path):
    """Each thread saves results of its own under one name, and moves what it finds aside."""
    path, writing = tmp_path / "r.png", threading.Lock()

    def save_and_move(thread):
        for index in range(20):
            with writing:  # saving here replaces; that is not what is looked at
                if not path.exists():
                    path.write_text(f"{thread} {index}")
                    said.append(f"{thread} {index}")
            earlier.set_aside(str(tmp_path / "r"), [path])

    said: list[str] = []
    threads = [threading.Thread(target=save_and_move, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept.read_text() for kept in tmp_path.iterdir()) == sorted(said)
    assert len(said) > 20


def test_what_cannot_be_renamed_stays_and_leaves_no_other_name(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("not yours")

    save(tmp_path / "r.png", OTHER)
    monkeypatch.setattr(earlier.os, "replace", refuse)
    with pytest.raises(PermissionError):
        earlier.make_room(str(tmp_path / "r"), tmp_path / "r.png", RECORD)
    assert names(tmp_path) == ["r.png"]


@pytest.mark.parametrize(
    ("record", "said"),
    [(OTHER, "The earlier {} is"), (None, "{} does not say that this program made it, and is")],
    ids=["made otherwise", "of somebody else"],
)
def test_another_result_moves_aside_with_its_steps_and_its_table(record, said, tmp_path):
    result = save(tmp_path / "r.png", record)
    steps = [save(tmp_path / f"r_at_iteration_{index}.png", record) for index in (0, 1)]
    table = tmp_path / "r_losses.csv"
    table.touch()
    line = earlier.make_room(str(tmp_path / "r"), result, RECORD, steps, [table])
    assert line == f"{said.format(result)} kept as {tmp_path}/r.1.png, with 3 more files"
    assert names(tmp_path) == [
        *("r.1.png", "r.1_at_iteration_0.png", "r.1_at_iteration_1.png", "r.1_losses.csv"),
    ]


def test_steps_of_the_very_same_run_stay(tmp_path):
    """They are what it goes on from."""
    result, step = save(tmp_path / "r.png", OTHER), save(tmp_path / "r_at_iteration_0.png", RECORD)
    line = earlier.make_room(str(tmp_path / "r"), result, RECORD, [step])
    assert line == f"The earlier {result} is kept as {tmp_path}/r.1.png"
    assert names(tmp_path) == ["r.1.png", "r_at_iteration_0.png"]
    assert earlier.make_room(str(tmp_path / "r"), result, RECORD, [step]) == ""


def test_overwriting_removes_steps_that_are_ours(tmp_path):
    result, step = save(tmp_path / "r.png", OTHER), save(tmp_path / "r_at_iteration_7.png", OTHER)
    theirs = save(tmp_path / "r_at_iteration_8.png")
    others = [tmp_path / "r_losses.csv", tmp_path / "r.mp4"]
    for path in others:
        path.touch()
    given = str(tmp_path / "r"), result, RECORD, [step, theirs], others
    assert earlier.make_room(*given, overwrite=True) == ""
    assert names(tmp_path) == ["r.mp4", "r.png", "r_at_iteration_8.png"]  # two may be replaced


def test_overwriting_replaces_nothing_that_may_be_the_users_own(tmp_path):
    """Who forgets the result's name gives that of a painting in its place."""
    result = save(tmp_path / "r.png")
    line = earlier.make_room(str(tmp_path / "r"), result, RECORD, overwrite=True)
    kept = f"and is kept as {tmp_path}/r.1.png"
    assert line == f"{result} does not say that this program made it, {kept}"
    assert names(tmp_path) == ["r.1.png"]


def test_made_so_is_what_the_record_says(tmp_path):
    path = save(tmp_path / "r.png", RECORD | {"versions": {"numpy": "0"}})
    assert earlier.is_made_so(path, RECORD)
    assert not earlier.is_made_so(path, OTHER)
    assert not earlier.is_made_so(tmp_path / "none.png", RECORD)
    Image.new("RGB", (16, 16)).save(path)
    assert not earlier.is_made_so(path, RECORD)


def test_a_folder_moves_with_what_is_in_it(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a").touch()
    (tmp_path / "r.1").mkdir()
    assert earlier.set_aside(str(tmp_path / "r"), [tmp_path / "r"]) == {
        tmp_path / "r": tmp_path / "r.2"
    }
    assert names(tmp_path) == ["r.1", "r.2"] and names(tmp_path / "r.2") == ["a"]
