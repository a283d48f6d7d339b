"""Files that are written whole or not at all, by several runs in one folder."""

import errno
import os
import subprocess
import sys

import pytest

from stylize.backend import files
from stylize.backend.files import Unfinished, alone, linked, remove_leftovers, replacing
from stylize.errors import InputError

KILLED = """
import os, sys
from stylize.backend.files import Unfinished
print(Unfinished(sys.argv[1]).path, flush=True)
os.kill(os.getpid(), 9)
"""


def leftover(path):
    """What a run that was killed has left of a file."""
    command = [sys.executable, "-c", KILLED, str(path)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.strip()


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "photo.png"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists() and temporary.suffix == ".png"
    assert os.listdir(path.parent) == ["photo.png"]
    with pytest.raises(ValueError), replacing(path) as temporary:
        temporary.write_text("other")
        raise ValueError
    assert os.listdir(path.parent) == ["photo.png"] and path.read_text() == "half"


def test_leftovers_of_runs_that_were_killed_are_removed_and_no_other_file(tmp_path):
    """Whatever the number of the process that writes one: a machine or container has its own."""
    left = leftover(tmp_path / "photo_state.npz")
    live = [Unfinished(tmp_path / name) for name in ("photo.png", "photo_2.png")]
    own = tmp_path / ".photo.notes.tmp.txt"
    own.touch()
    assert os.path.exists(left)
    remove_leftovers(tmp_path / "photo")
    assert not os.path.exists(left)
    assert set(tmp_path.iterdir()) == {own, *(file.path for file in live)}
    for file in live:
        file.finish()
        file.discard()
    assert set(tmp_path.iterdir()) == {own, tmp_path / "photo.png", tmp_path / "photo_2.png"}


def test_a_file_without_a_lock_is_never_taken_for_a_leftover(tmp_path, monkeypatch):
    """As on a network folder that has none."""

    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(files, "_lock", no_locks)
    live = Unfinished(tmp_path / "photo.png")
    remove_leftovers(tmp_path / "photo")
    assert live.path.exists()
    live.discard()


def test_a_file_that_is_removed_before_its_lock_is_created_again(tmp_path, monkeypatch):
    lock, removed = files._lock, []

    def remove_first(file):
        if not removed:
            removed.append(file.name)
            os.unlink(file.name)
        lock(file)

    monkeypatch.setattr(files, "_lock", remove_first)
    live = Unfinished(tmp_path / "photo.png")
    assert removed and list(tmp_path.iterdir()) == [live.path] != removed
    live.discard()


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    mine.write_text("precious")
    monkeypatch.setattr("os.urandom", lambda _: bytes.fromhex("0badcafe"))  # it cannot be foreseen
    (tmp_path / ".photo.0badcafe.tmp.png").symlink_to(mine)
    with pytest.raises(FileExistsError), replacing(tmp_path / "photo.png"):
        pass
    remove_leftovers(tmp_path / "photo")
    assert mine.read_text() == "precious"


def test_an_error_names_the_file_that_is_wanted(tmp_path):
    with pytest.raises(OSError) as caught, replacing(tmp_path / "photo.png"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as a write has it, without a name
    assert caught.value.filename == str(tmp_path / "photo.png")
    other = tmp_path / "frame.png"
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "photo.png"):
        other.open()
    assert caught.value.filename == str(other)


def test_another_name_of_a_file(tmp_path):
    """One file on the disk, until either name gets another."""
    file, path = tmp_path / "step.png", tmp_path / "result.png"
    file.write_bytes(b"new")
    path.write_bytes(b"old")
    for _ in range(2):  # the second time it is that already
        assert linked(file, path)
        assert path.samefile(file)
        assert sorted(os.listdir(tmp_path)) == ["result.png", "step.png"]
    with replacing(path) as temporary:
        temporary.write_bytes(b"newer")
    assert file.read_bytes() == b"new"
    assert not linked(tmp_path / "none.png", path)
    assert path.read_bytes() == b"newer"


HOLDS = """
import sys
from stylize.backend.files import alone
with alone(sys.argv[1]):
    print("in", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not files.fcntl, reason="Windows has no such locks")
def test_one_run_at_a_time_has_a_prefix(tmp_path):
    """Also after one that was killed, which leaves its file."""
    prefix = str(tmp_path / "photo")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, prefix], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(InputError, match="photo: another run is painting it"), alone(prefix):
            raise AssertionError
        with alone(f"{prefix}2"):  # another result beside it
            pass
        other.kill()
    assert os.listdir(tmp_path) == [".photo.lock"]
    with alone(prefix):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not files.fcntl, reason="Windows has no such locks")
@pytest.mark.parametrize("kind", ["a link", "a folder", "a pipe", "a file"])
def test_what_has_the_name_of_a_lock_and_is_none_stays(kind, tmp_path):
    lock = tmp_path / ".photo.lock"
    if kind == "a link":  # it is not followed
        lock.symlink_to(tmp_path / "mine")
    elif kind == "a folder":
        lock.mkdir()
    elif kind == "a pipe":  # it is not waited for
        os.mkfifo(lock)
    else:
        lock.write_text("precious")
    before = lock.lstat()
    message = (
        r"\.photo\.lock: is in the way of a lock .*; rename or remove what is there, or choose"
    )
    with pytest.raises(InputError, match=message), alone(tmp_path / "photo"):
        raise AssertionError
    assert os.listdir(tmp_path) == [".photo.lock"]
    assert lock.lstat() == before


@pytest.mark.skipif(not files.fcntl, reason="Windows has no such locks")
def test_what_is_locked_is_open_for_writing(tmp_path, monkeypatch):
    """NFS locks nothing else."""
    flock, modes = files.fcntl.flock, []

    def noting(number, how):
        modes.append(files.fcntl.fcntl(number, files.fcntl.F_GETFL) & os.O_ACCMODE)
        flock(number, how)

    monkeypatch.setattr(files.fcntl, "flock", noting)
    with alone(tmp_path / "photo"):
        pass
    assert modes == [os.O_RDWR]


@pytest.mark.skipif(not files.fcntl, reason="Windows has no such locks")
def test_another_users_lock_stays(tmp_path, monkeypatch):
    """On a disk without locks, or on NFS, their run may still be painting."""
    opened = os.open

    def refusing(path, flags, *mode):
        if flags & os.O_RDWR:
            raise PermissionError
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", refusing)
    with alone(tmp_path / "photo"):
        pass
    assert os.listdir(tmp_path) == [".photo.lock"]


def test_a_disk_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    if files.fcntl:
        monkeypatch.setattr(files.fcntl, "flock", refuse)
    with alone(tmp_path / "photo"), alone(tmp_path / "photo"):
        pass


@pytest.mark.parametrize(
    ("names", "without_equals"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "A"], ["a", "A_2"]),  # some disks do not tell a from A
        (["a_2", "a", "a"], ["a_2", "a", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_2", "a_2_2"]),
    ],
)
def test_no_two_files_share_a_name(names, without_equals):
    assert files.distinct(names) == without_equals
