"""The time left that is shown for a folder, by a clock that the test sets."""

import json
from pathlib import Path

import pytest

from stylize.apps.console import in_words
from stylize.apps.folder import ledger as ledgers
from stylize.apps.folder.ledger import Ledger, Outcome
from stylize.apps.folder.pictures import Task


@pytest.fixture
def clock(monkeypatch):
    """A list with the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(ledgers.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def ledger(tmp_path):
    """Four pictures, two painted at once; the last is twice as much work as each of the others."""
    names = "abcd"
    tasks = [Task(Path(f"{n}.jpg"), Path("style.jpg"), tmp_path / n) for n in names]
    ledger = Ledger(tasks, [tmp_path / f"{n}.png" for n in names], tmp_path)
    for index, work in enumerate((10, 10, 10, 20)):
        ledger.add(index, Outcome("waiting", work=work))
    ledger.begin(at_once=2)
    yield ledger
    ledger.close()


def test_time_left_counts_what_is_being_painted(ledger, clock, capsys):
    """10 s each. When the first is done, the other needs 1 s more."""
    ledger.start(0)
    ledger.start(1)
    clock[0] += 9
    ledger.add(0, Outcome("painted", seconds=10))
    ledger.start(2)
    assert "1 of 4" in capsys.readouterr().out
    assert ledger.time_left() == pytest.approx((1 + 10 + 20) / 2)
    clock[0] += 1
    ledger.add(1, Outcome("painted", seconds=10))
    assert ledger.time_left() == pytest.approx((9 + 20) / 2)


def test_time_left_follows_the_time_that_painting_took_not_the_startup(ledger, clock):
    clock[0] += 1000  # processes start, a network is loaded
    ledger.start(0)
    clock[0] += 10
    ledger.add(0, Outcome("painted", seconds=10))
    assert ledger.time_left() == pytest.approx((10 + 10 + 20) / 2)


def test_picture_that_takes_longer_than_expected_counts_as_done_at_most(ledger, clock):
    ledger.start(1)
    ledger.start(0)
    ledger.add(0, Outcome("painted", seconds=10))
    clock[0] += 500
    assert ledger.time_left() == pytest.approx((0 + 10 + 20) / 2)


def test_failures_and_killed_processes_say_nothing_about_the_time_left(ledger, clock):
    ledger.start(0)
    ledger.start(1)
    assert ledger.time_left() is None
    ledger.add(0, Outcome("failed", error="a.jpg: is damaged", seconds=1))
    assert ledger.time_left() is None
    ledger.start(2)
    clock[0] += 10
    ledger.stop(1)  # killed: it is painted again
    ledger.add(2, Outcome("painted", seconds=10))
    assert ledger.time_left() == pytest.approx((10 + 20) / 2)


def test_first_pictures_of_the_processes_do_not_count_once_there_are_others(ledger, clock):
    """They are compiled for."""
    for index in (0, 1):
        ledger.add(index, Outcome("painted", seconds=30))
    assert ledger.time_left() == pytest.approx((30 + 60) / 2)
    ledger.add(2, Outcome("painted", seconds=10))
    assert ledger.time_left() == pytest.approx(20)


def test_last_picture_is_painted_alone(ledger, clock):
    for index in (0, 1, 2):
        ledger.add(index, Outcome("painted", seconds=10))
    assert ledger.time_left() == pytest.approx(20)
    ledger.add(3, Outcome("painted", seconds=20))
    assert ledger.time_left() is None


def test_resumed_picture_says_so_and_nothing_about_the_pace(ledger, clock, tmp_path, capsys):
    """It took 5 s, but most of its work was done before."""
    ledger.add(0, Outcome("waiting", work=10, resumable=True))
    ledger.add(0, Outcome("painted", seconds=5))
    assert "in 5s, resumed" in capsys.readouterr().out
    assert json.loads((tmp_path / "log.jsonl").read_text())["resumed"] is True
    assert ledger.time_left() is None
    ledger.add(1, Outcome("painted", seconds=10))
    assert ledger.time_left() == pytest.approx((10 + 20) / 2)


def test_what_is_painted_again_is_painted_one_at_a_time_from_its_state(ledger, clock):
    ledger.add(0, Outcome("painted", seconds=10))
    ledger.again([1, 2])
    assert ledger.time_left() == pytest.approx(10 + 10 + 20)
    ledger.add(1, Outcome("painted", seconds=1))
    assert ledger.time_left() == pytest.approx(10 + 20)


def test_page_stays_as_it_is_until_all_is_known(tmp_path):
    (tmp_path / "index.html").write_text("of an earlier run")
    task = Task(Path("a.jpg"), Path("style.jpg"), tmp_path / "a")
    Ledger([task], [tmp_path / "a.png"], tmp_path).close()
    assert (tmp_path / "index.html").read_text() == "of an earlier run"


def test_picture_that_was_saved_as_the_run_was_stopped_is_painted(ledger, tmp_path, capsys):
    """Its process was stopped before it could tell. Another, begun before, has an old result."""
    (tmp_path / "b.png").write_text("of an earlier run")
    for index in range(3):
        ledger.start(index)
    (tmp_path / "a.png").write_text("a picture")
    ledger.close()
    assert [outcome.status for outcome in ledger.outcomes] == ["painted"] + ["waiting"] * 3
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["result"] == str(tmp_path / "a.png")
    assert json.loads(line)["status"] == "painted"
    assert f"1 of 4: {tmp_path / 'a.png'}" in capsys.readouterr().out


def test_picture_is_logged_even_if_it_cannot_be_printed(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "print", raises_os_error)
    ledger.start(0)
    (tmp_path / "a.png").write_text("a picture")
    with pytest.raises(OSError, match="gone"):
        ledger.add(0, Outcome("painted", seconds=1, room="what was there has moved aside"))
    ledger.close()
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()  # once
    assert json.loads(line)["result"] == str(tmp_path / "a.png")


def raises_os_error(line):
    raise OSError("the terminal is gone")


def test_rounding_of_the_work_leaves_no_time(tmp_path):
    """Works of tiles are not whole: less than nothing may be left of their sum."""
    names = "abc"
    tasks = [Task(Path(f"{n}.jpg"), Path("style.jpg"), tmp_path / n) for n in names]
    ledger = Ledger(tasks, [tmp_path / f"{n}.png" for n in names], tmp_path)
    for index, work in enumerate((7289730.0, 27580392.0, 25147080.000000004)):
        ledger.add(index, Outcome("waiting", work=work))
    ledger.begin(at_once=1)
    for index in range(3):
        ledger.add(index, Outcome("painted", seconds=1))
    assert ledger.time_left() is None
    ledger.close()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (119.4, "119s"), (119.7, "2 min"), (7100, "118 min"), (9000, "2.5 h")],
)
def test_times_are_in_seconds_minutes_or_hours(seconds, words):
    assert in_words(seconds) == words
