"""Resuming a run that was stopped: the state file, and that the picture is the same to the bit."""

import contextlib
import errno
import functools
import io
import json
import os
import re
import signal
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from conftest import SHALLOW

import neural_style_transfer as nst
from stylize.apps import photo as photo_app
from stylize.apps.photo_console import PhotoConsole
from stylize.errors import InputError
from stylize.optimize.lbfgs import ProjectedLBFGS
from stylize.optimize.state import Losses, Step
from stylize.runs import checkpoint as states
from stylize.runs import memory
from stylize.runs.job import prepare
from stylize.runs.loss_table import LossTable
from stylize.runs.progress import Checkpoint, Stage

RECIPES = {  # settings that take the optimisers through more than one iteration at two sizes
    "neighbors": {},
    "partly kept": {"keep_mask": np.eye(48, dtype=np.uint8) * 255},
    "lbfgs, own sizes": {"recipe": "pyramid", "optimizer": "lbfgs", "scales": 2},
    "preconditioned": {"recipe": "johnson", "scales": 2},
    "torch": {"recipe": "johnson", "optimizer": "torch", "scales": 2},
    "average": {"recipe": "crowson", "optimizer": "adam", "scales": 2},
    "keras": {"recipe": "keras", "scales": 2},
    "adam": {"recipe": "athalye", "scales": 2, "init": "base"},
}


class Stopped(Exception):
    """Raised in the middle of a run."""


def job_of(photo, painting, **settings):
    return prepare(photo, painting, **{"size": 40, "iterations": 3, **settings})


def paint_all(job, weights, checkpoint=None):
    """(the last picture's values, the checkpoints on the way)."""
    kept = []
    last = nst.paint(job, weights, checkpoint=checkpoint, keep=kept.append)
    return nst.keras.ops.convert_to_numpy(last.x), kept


@pytest.mark.parametrize("recipe", RECIPES)
def test_resumes_bit_for_bit_from_any_checkpoint(
    recipe, photo, painting, small_vgg19, tmp_path, request
):
    """From files, and from one in memory, which can be used again."""
    if recipe not in ("neighbors", "partly kept"):  # others keep nothing of the network's
        request.getfixturevalue("simple_loss")
    shallow = {"content_layers": "block2_conv1", "style_layers": "block1_conv1"}
    job = job_of(photo, painting, evaluations_per_iteration=7, **shallow, **RECIPES[recipe])
    whole, kept = paint_all(job, small_vgg19)
    assert {checkpoint.stage for checkpoint in kept} == set(range(len(job.stages)))
    record = {"settings": {"optimizer": job.settings.optimizer}, "tiles": [None] * len(job.stages)}

    def in_memory(checkpoint):
        return checkpoint

    def through_a_file(checkpoint):
        state = states.StateFile(tmp_path / "state.npz", record, job.stages)
        state.keep(checkpoint)
        state.write()
        return states.StateFile(tmp_path / "state.npz", record, job.stages).load()

    first, last = kept[0], kept[-1]
    middle = next(checkpoint for checkpoint in kept[len(kept) // 2 :] if checkpoint.step.state)
    for checkpoint, way in [
        (middle, in_memory),
        (middle, through_a_file),
        (first, through_a_file),
        (last, through_a_file),
    ]:
        again, _ = paint_all(job, small_vgg19, way(checkpoint))
        np.testing.assert_array_equal(again, whole)


def test_scipys_single_run_resumes_at_the_end_of_an_iteration(photo, painting, small_vgg19):
    job = job_of(photo, painting, recipe="pyramid", optimizer="scipy")
    _, kept = paint_all(job, small_vgg19)
    assert [checkpoint.step.iterations for checkpoint in kept] == [1, 2]
    before = kept[0].step.losses.total
    last = nst.paint(job, small_vgg19, checkpoint=kept[0])
    assert last.losses.total < before
    assert last.iteration == 2


def test_progress_is_resumed_too(photo, painting, small_vgg19):
    job = job_of(photo, painting)
    whole = nst.Progress()
    kept = []
    nst.paint(job, small_vgg19, whole, keep=kept.append)
    rest = nst.Progress()
    nst.paint(job, small_vgg19, rest, checkpoint=kept[len(kept) // 2]._replace(seconds=1000.0))
    assert rest.evaluations == whole.evaluations
    assert rest.last.iteration == whole.last.iteration
    assert rest.fraction == pytest.approx(whole.fraction)
    assert rest.seconds > 1000


# ---------------------------------------------------------------------------------------------
# The file
# ---------------------------------------------------------------------------------------------


RECORD = {"settings": {"size": 2, "optimizer": "lbfgs"}, "tiles": [None, None]}
STAGES = [Stage(2, 2, 5, 20, "float32")] * 2


def checkpoint(stage=0, iterations=1, x=0.0):
    losses = Losses(6.0, {"content": 1.0, "style": 2.0, "total_variation": 3.0})
    search = ProjectedLBFGS(np.full((1, 2, 2, 3), x, np.float32))
    step = Step(iterations, 20 * iterations, 7.5, losses, search.state())
    return Checkpoint(stage, np.zeros((2, 2, 3), np.float32), 30 * iterations, 1.5, step)


def state_file(path, table=None, **more):
    return states.StateFile(path, RECORD, STAGES, table, **more)


@pytest.fixture
def state(tmp_path):
    table = LossTable()
    for _ in range(40):  # more than the checkpoint's: of the step that was broken off
        table.add(0, 0.1, Losses(6.0, {"content": 1.0, "style": 2.0, "total_variation": 3.0}), 400)
    return state_file(tmp_path / "r_state.npz", table)


def test_file_holds_everything(state):
    state.keep(checkpoint())
    table = LossTable()
    found = state_file(state.path, table).load()
    expected = checkpoint()
    assert found[2:4] == expected[2:4]
    assert found.step[:4] == expected.step[:4]
    np.testing.assert_array_equal(found.step.state["x"], expected.step.state["x"])
    assert len(table.rows) == expected.evaluations


def test_is_written_after_each_iteration_and_every_few_minutes(state, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(states.time, "monotonic", lambda: clock[0])
    state = state_file(state.path)
    written = []
    monkeypatch.setattr(state, "_write", written.append)
    for seconds, place in [(1, (0, 0)), (2, (0, 1)), (3, (0, 1)), (4, (1, 0)), (130, (1, 0))]:
        clock[0] = float(seconds)
        state.keep(checkpoint(*place, x=seconds))
    assert [c.step.state["x"].max() for c in written] == [2, 4, 130]
    state.write()
    assert len(written) == 3  # there was nothing new


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.999])
def test_damaged_file_is_refused(state, kept):
    state.keep(checkpoint())
    data = state.path.read_bytes()
    state.path.write_bytes(data[: int(kept * len(data)) if kept < 1 else kept])
    with pytest.raises(InputError, match="damaged .*; run without --resume"):
        state.load()


def test_changed_byte_is_refused(state):
    state.keep(checkpoint())
    data = bytearray(state.path.read_bytes())
    data[data.index(b"NUMPY") + 200] ^= 1
    state.path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        state.load()


def rewritten(path, compression=zipfile.ZIP_STORED, about=(), **arrays):
    """Replaces values in a state file: `about` at a path of keys, and whole arrays, None: none."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(str(np.load(io.BytesIO(entries["about.npy"]))))
    for (*keys, last), value in dict(about).items():
        functools.reduce(dict.__getitem__, keys, told)[last] = value
    for name, array in {"about": np.array(json.dumps(told)), **arrays}.items():
        file = io.BytesIO()
        if isinstance(array, bytes):
            file.write(array)
        elif array is not None:
            np.save(file, array)
        entries[f"{name}.npy"] = file.getvalue()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            if data:
                archive.writestr(name, data)


def header(text):
    """The first bytes of an array's file."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("record", "tiles"), []),
        (("record", "tiles"), [1, None]),
        (("record", "tiles"), "none"),
        (("table",), [{"another": 1}]),
        (("table",), [{"total": "text"}]),
        (("table",), [{"total": 1}] * 31),
        (("checkpoint", "stage"), 99),
        (("checkpoint", "stage"), -1),
        (("checkpoint", "stage"), None),
        (("checkpoint", "evaluations"), "30"),
        (("checkpoint", "seconds"), -1),
        (("checkpoint", "more"), 1),
        (("step", "iterations"), -(10**9)),
        (("step", "iterations"), 5),
        (("step", "evaluations"), -(10**9)),
        (("step", "evaluations"), 31),
        (("step", "before"), "low"),
        (("step", "losses"), {"total": 1}),
        (("step", "losses"), [1]),
        (("more",), functools.reduce(lambda inner, _: [inner], range(900), [])),
    ],
)
def test_state_that_says_what_cannot_be_is_damaged(keys, value, state):
    state.keep(checkpoint())
    rewritten(state.path, about={keys: value})
    with pytest.raises(InputError, match="damaged"):
        state.load()


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": None},
        {"gradient": np.zeros((1, 2, 3, 3), np.float32)},
        {"x": np.zeros((1, 2, 2, 3))},
        {"start": np.zeros((4, 4, 3), np.float32)},
        {"low": np.zeros((7, 3), np.float32)},
        {"loss": np.array("low")},
        {"loss": np.zeros(3)},
        {"products": np.zeros((2, 3, 3))},
        {"products": np.zeros(0)},
        {"step_0": np.zeros((1, 2, 2, 3), np.float32)},
        {"more": np.zeros(1)},
        {"x": header("{'descr': '<f4', 'fortran_order': False, 'shape': (10**12,)}")},
        {"x": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}")},
        {"x": header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")},
        {"products": header("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 10**12, 0)}")},
        {
            "products": header(
                "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1000000000000, 0)}"
            )
        },
        {"x": header("-" * 9000 + "1")},
        {"x": b"no array"},
    ],
)
def test_state_with_other_arrays_than_its_optimisers_is_damaged(arrays, state):
    state.keep(checkpoint())
    rewritten(state.path, **arrays)
    with pytest.raises(InputError, match="damaged"):
        state.check()


@pytest.mark.parametrize("pairs", [-1, 0, 10**9, np.nan])
def test_state_with_another_number_of_pairs_is_damaged(pairs, state):
    state.keep(checkpoint())
    rewritten(state.path, pairs=np.array(pairs))
    with pytest.raises(InputError, match="damaged"):
        state.load()


def test_state_that_would_grow_when_it_is_unpacked_is_damaged(state):
    state.keep(checkpoint())
    rewritten(state.path, zipfile.ZIP_DEFLATED, more=np.zeros(2**22))
    assert state.path.stat().st_size < 2**20
    tracemalloc.start()
    with pytest.raises(InputError, match="damaged"):
        state.load()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_state_that_is_whole_is_not_called_damaged(state):
    """Where there is no room to read it to, starting anew would help nobody."""
    state.keep(checkpoint())

    def no_room(shape):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "scratch")

    with pytest.raises(FileNotFoundError, match="scratch"):
        state_file(state.path, empty=no_room).load()


def test_other_run_is_refused_and_what_differs_said(state):
    state.keep(checkpoint())
    record = RECORD | {"settings": RECORD["settings"] | {"size": 3}, "bits": 8}
    other = states.StateFile(state.path, record, STAGES)
    with pytest.raises(InputError, match="bits: None, now 8; settings size: 2, now 3"):
        other.load()
    record = RECORD | {"settings": RECORD["settings"] | {"size": [0] * 2000}}
    with pytest.raises(InputError, match=r"is of another run:.* \.\.\.; run without") as refused:
        states.StateFile(state.path, record, STAGES).load()
    assert len(str(refused.value)) < 1000


def no_room(file, array):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_leaves_the_earlier_state(state, monkeypatch):
    state.keep(checkpoint(iterations=1))
    before = state.path.read_bytes()
    monkeypatch.setattr(states.np.lib.format, "write_array", no_room)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        state.keep(checkpoint(iterations=2))
    assert state.path.read_bytes() == before
    assert os.listdir(state.path.parent) == [state.path.name]


# ---------------------------------------------------------------------------------------------
# The command line
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def arguments(photo_path, painting_path, weights_path, tmp_path):
    return [
        *(str(photo_path), str(painting_path), str(tmp_path / "r")),
        *("--weights", str(weights_path), "--size", "40", "--iter", "3", "--scales", "2"),
    ]


@pytest.fixture
def command(simple_loss, arguments):
    """The command line, for a loss that is soon computed."""
    return arguments


@pytest.fixture(scope="module")
def unstopped():
    """Results that several tests ask for."""
    return {}


@pytest.fixture
def whole(command, unstopped, tmp_path):
    """(picture, rows of the table) of a run that nothing stops, of which nothing is left."""
    if not unstopped:
        assert nst.main(command) == 0
        unstopped["picture"] = (tmp_path / "r.png").read_bytes()
        unstopped["table"] = (tmp_path / "r_losses.csv").read_text().splitlines()
        assert not (tmp_path / "r_state.npz").exists()
        for path in tmp_path.glob("r*"):
            path.unlink()
    return unstopped["picture"], unstopped["table"]


LATE = 100  # evaluations: at the second of two sizes, in its second iteration


def stop_at(monkeypatch, evaluation, error):
    """Raises an error at an evaluation of the next run."""
    on_evaluation = PhotoConsole.on_evaluation

    def stopping(self, event):
        on_evaluation(self, event)
        if self.evaluations == evaluation:
            raise error

    monkeypatch.setattr(PhotoConsole, "on_evaluation", stopping)


@pytest.mark.parametrize("more", [["--resume"], []], ids=["resume", "the same command"])
@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (MemoryError, 1)])
def test_stopped_run_says_how_to_resume_it_and_does(
    whole, command, tmp_path, monkeypatch, capsys, error, status, more
):
    picture, table = whole
    with monkeypatch.context() as patch:
        stop_at(patch, LATE, error)
        assert nst.main(command) == status
    assert capsys.readouterr().err.endswith(" --resume\n")
    assert not (tmp_path / "r.png").exists()
    assert nst.main([*command, *more]) == 0
    assert "Resuming at 48x40 pixels" in capsys.readouterr().out
    assert (tmp_path / "r.png").read_bytes() == picture
    assert not (tmp_path / "r_state.npz").exists()
    again = (tmp_path / "r_losses.csv").read_text().splitlines()
    assert [row.split(",")[3:] for row in again] == [row.split(",")[3:] for row in table]


SCIPY = ["--optimizer", "scipy", "--recipe", "pyramid"]


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ([], ["--overwrite"], "--overwrite is given"),
        ([], ["--strength", "0.7"], "it is of another run: settings strength: 0.5, now 0.7"),
        ([], ["--tile", "32"], "--resume goes on with it, but it was begun in other tiles"),
        (["--gif"], ["--gif"], "--resume goes on with it, but the film of the growing"),
        (
            ["--precision", "float16"],
            ["--precision", "float16"],
            "--resume goes on with it, but float16 scales",
        ),
        (SCIPY, SCIPY, "--resume goes on with it, but SciPy's L-BFGS starts"),
    ],
    ids=["overwrite", "strength", "tiles", "gif", "float16", "scipy"],
)
def test_stopped_run_begins_anew_where_it_would_not_be_the_same(
    command, monkeypatch, capsys, before, now, why
):
    with monkeypatch.context() as patch:
        stop_at(patch, LATE, KeyboardInterrupt)
        assert nst.main([*command, *before]) == 130
        stop_at(patch, 1, KeyboardInterrupt)
        assert nst.main([*command, *now]) == 130
    out, err = capsys.readouterr()
    assert f"r_state.npz of an unfinished run will be replaced: {why}" in err
    assert "Resuming" not in out


def test_stopped_run_begins_anew_with_other_threads(command, monkeypatch, capsys):
    stop_at(monkeypatch, LATE, KeyboardInterrupt)
    assert nst.main(command) == 130
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert nst.main(command) == 130
    assert "it was begun on another processor, or with other threads" in capsys.readouterr().err


def test_run_that_is_stopped_again_names_the_picture_of_the_first_time(
    command, tmp_path, monkeypatch, capsys
):
    said = []
    for evaluation in (LATE, LATE + 1):
        with monkeypatch.context() as patch:
            stop_at(patch, evaluation, KeyboardInterrupt)
            assert nst.main([*command, "--resume"]) == 130
        said.append(capsys.readouterr().err)
    assert re.search(r"the last picture is \S*r_at_iteration_\d\.png; resume with", said[0])
    assert said[0] == said[1]
    assert len((tmp_path / "r_losses.csv").read_text().splitlines()) == 1 + LATE + 1


def test_run_with_its_arrays_in_files_ends_and_resumes_with_the_same_bytes(
    whole, command, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(memory.STATE_BYTES, "lbfgs", 10**9)  # too much for memory
    command = [*command, "--memory", "9", "--overwrite"]
    assert nst.main(command) == 0
    assert "GiB of disk" in capsys.readouterr().out
    assert (tmp_path / "r.png").read_bytes() == whole[0]
    with monkeypatch.context() as patch:
        stop_at(patch, LATE, KeyboardInterrupt)
        assert nst.main(command) == 130
    assert nst.main([*command, "--resume"]) == 0
    assert (tmp_path / "r.png").read_bytes() == whole[0]


def test_resumes_in_the_tiles_it_began_with_and_says_what_they_need(
    arguments, tmp_path, monkeypatch, capsys
):
    command = [*arguments, "--iter", "1", "--recipe", "pyramid", *SHALLOW]
    assert nst.main([*command, "--tile", "32"]) == 0
    whole = (tmp_path / "r.png").read_bytes()
    (tmp_path / "r.png").unlink()
    with monkeypatch.context() as patch:
        stop_at(patch, 25, KeyboardInterrupt)
        assert nst.main([*command, "--tile", "32"]) == 130
    capsys.readouterr()
    assert nst.main([*command, "--resume"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"earlier run's tiling, which needs .*, in tiles of 32 pixels\n", said)
    assert (tmp_path / "r.png").read_bytes() == whole


def test_scratch_folder_that_vanishes_ends_the_run_in_a_line(
    command, tmp_path, monkeypatch, capsys
):
    """What has no name stays; the next file that is needed cannot be made."""
    monkeypatch.setitem(memory.STATE_BYTES, "lbfgs", 10**9)
    folder, on_evaluation = tmp_path / "scratch", PhotoConsole.on_evaluation
    folder.mkdir()

    def vanishing(self, event):
        on_evaluation(self, event)
        if self.evaluations == LATE:
            folder.rmdir()

    with monkeypatch.context() as patch:
        patch.setattr(PhotoConsole, "on_evaluation", vanishing)
        command = [*command, "--memory", "9", "--scratch", str(folder)]
        assert nst.main(command) == 1
    error = capsys.readouterr().err
    assert str(folder) in error and error.count("error: ") == 1
    assert error.endswith(" --resume\n")
    assert (tmp_path / "r_state.npz").exists()


@pytest.mark.skipif(os.name == "nt", reason="files cannot be limited there")
def test_disk_that_takes_pictures_but_no_state_costs_only_the_state(command, tmp_path, capsys):
    """The system refuses what is larger than a limit, as it would on a full disk."""
    with largest_file(20_000):
        assert nst.main(command) == 0
    assert (
        "r_state.npz: File too large; a stop loses what is painted from here on"
        in capsys.readouterr().err
    )
    expected = ["photo.png", "painting.png", "small.h5", "r.png", "r_losses.csv"]
    expected += [f"r_at_iteration_{i}.png" for i in range(3)]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(expected)


@pytest.mark.skipif(os.name == "nt", reason="files cannot be limited there")
def test_disk_that_is_full_on_the_way_keeps_the_pictures_and_the_state(
    whole, command, tmp_path, monkeypatch, capsys
):
    save, on_iterate = PhotoConsole._save, []

    def filling(self, iterate, name, *same):
        if name == "_at_iteration_1":
            on_iterate.append((tmp_path / "r_at_iteration_0.png").read_bytes())
            with largest_file(100):
                save(self, iterate, name)
        return save(self, iterate, name, *same)

    with monkeypatch.context() as patch:
        patch.setattr(PhotoConsole, "_save", filling)
        assert nst.main(command) == 1
    error = capsys.readouterr().err
    assert "File too large; the last picture is " in error and error.endswith(" --resume\n")
    assert (tmp_path / "r_at_iteration_0.png").read_bytes() == on_iterate[0]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    assert nst.main([*command, "--resume"]) == 0
    assert (tmp_path / "r.png").read_bytes() == whole[0]


@contextlib.contextmanager
def largest_file(size):
    """Lets no file of this process grow beyond so many bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_disk_without_room_is_found_before_the_run(command, monkeypatch, capsys):
    monkeypatch.setitem(memory.STATE_BYTES, "lbfgs", 10**9)
    monkeypatch.setattr(photo_app, "free_disk", lambda folder: 0.1)
    assert nst.main([*command, "--memory", "9"]) == 2
    assert "GiB of disk and 0.0 are free; choose" in (capsys.readouterr().err)


def test_state_is_checked_without_its_arrays(state):
    state.keep(checkpoint())
    state.check()
    with pytest.raises(InputError, match="is of another run"):
        states.StateFile(state.path, {"settings": {"size": 3}}, STAGES).check()


def test_resume_without_a_state_starts_anew(command, tmp_path, capsys):
    assert nst.main([*command, "--resume"]) == 0
    out, err = capsys.readouterr()
    assert "There is no " in out
    assert err == ""


def test_resume_of_a_finished_run_paints_nothing(command, tmp_path, monkeypatch, capsys):
    assert nst.main(command) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    stop_at(monkeypatch, 1, AssertionError("it paints"))
    assert nst.main([*command, "--resume"]) == 0
    assert "r.png is finished: nothing is left to paint" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    with pytest.raises(AssertionError, match="it paints"):  # another picture is wanted
        nst.main([*command, "--resume", "--strength", "0.7"])


def test_unfinished_run_is_not_replaced_silently(command, tmp_path, capsys):
    np.savez(tmp_path / "r_state.npz", about='{"format": 1}')  # as the first version had it
    assert nst.main([*command, "--iter", "1", "--scales", "1"]) == 0  # too short to keep a state
    assert "r_state.npz of an unfinished run will be replaced: it " in capsys.readouterr().err
    assert not (tmp_path / "r_state.npz").exists()


@pytest.mark.parametrize("kept", [0, 300, 0.5, 1.0])
def test_state_is_told_from_other_files_even_if_it_is_damaged(kept, state):
    state.keep(checkpoint())
    data = state.path.read_bytes()
    state.path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    states.check_state(state.path)


@pytest.mark.parametrize("resume", [[], ["--resume"]])
@pytest.mark.parametrize("kind", ["text", "archive"])
def test_file_that_only_has_the_name_of_a_state_stays(kind, resume, command, tmp_path, capsys):
    mine = tmp_path / "r_state.npz"
    if kind == "text":
        mine.write_text("my own numbers")
    else:
        np.savez(mine, about="my own numbers", x=np.arange(3))
    before = mine.read_bytes()
    assert nst.main([*command, *resume]) == 2
    line = "was not written by this program, which needs the name; rename or remove it, or choose"
    assert capsys.readouterr() == (
        "",
        f"neural_style_transfer.py: error: {mine}: {line} another result prefix\n",
    )
    assert mine.read_bytes() == before


def test_second_interrupt_leaves_the_last_whole_state(command, tmp_path, monkeypatch, capsys):
    """It comes while the state is written for the first one."""
    write, written = states.StateFile.write, []

    def interrupted(self):
        if written and written[-1] == self.path:
            raise KeyboardInterrupt
        write(self)
        written.append(self.path)

    monkeypatch.setattr(states.StateFile, "write", interrupted)
    assert nst.main(command) == 130
    assert (tmp_path / "r_state.npz").exists()
    assert "resume with: " in capsys.readouterr().err


def test_other_settings_are_refused_before_anything_is_painted(command, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stop_at(patch, LATE, KeyboardInterrupt)
        nst.main(command)
    assert nst.main([*command, "--resume", "--strength", "0.7"]) == 2
    assert "settings strength: 0.5, now 0.7" in capsys.readouterr().err


DYING = """
import os, signal, sys
import neural_style_transfer as nst
from stylize.runs.checkpoint import StateFile

def write_and_die(self, checkpoint):
    write(self, checkpoint)
    os.kill(os.getpid(), signal.SIGKILL)

write, StateFile._write = StateFile._write, write_and_die
nst.main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_killed_run_is_resumed(photo_path, painting_path, full_weights_path, tmp_path):
    """Killed as soon as there is a state; `tests/kill.py` does it at random moments."""
    command = [
        *(str(photo_path), str(painting_path), str(tmp_path / "r")),
        *("--weights", str(full_weights_path), "--size", "40", "--iter", "3", "--scales", "2"),
        *("--recipe", "pyramid", *SHALLOW, "--quiet", "--resume"),
    ]
    assert nst.main(command) == 0
    whole = (tmp_path / "r.png").read_bytes()
    (tmp_path / "r.png").unlink()
    run = subprocess.run([sys.executable, "-c", DYING, *command], cwd=os.path.dirname(nst.__file__))
    assert run.returncode == -signal.SIGKILL
    assert (tmp_path / "r_state.npz").exists()
    assert nst.main(command) == 0
    assert (tmp_path / "r.png").read_bytes() == whole
    assert not [name for name in os.listdir(tmp_path) if ".tmp" in name]
