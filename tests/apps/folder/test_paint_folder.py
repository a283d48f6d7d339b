"""Folders on the command line. Threads stand in for the processes, but in the last tests."""

import contextlib
import hashlib
import json
import math
import multiprocessing
import os
import re
import shutil
import signal
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest
from conftest import SHALLOW, alive, disk_full, own_group, smooth_picture
from PIL import Image

import neural_style_transfer as nst
from stylize import parallel
from stylize.apps import foretold, photo
from stylize.apps.console import failure
from stylize.apps.folder import paint_folder
from stylize.apps.photo_console import PhotoConsole
from stylize.backend import files
from stylize.parallel import pool
from stylize.parallel.pool import Demand
from stylize.runs import forecast, metadata
from stylize.vgg.weights import VGG19Weights


@pytest.fixture
def photos(tmp_path):
    """Three pictures in a folder, the last in a folder of its own."""
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "b.jpg", "sub/c.webp")):
        Image.fromarray(smooth_picture(40, 48, seed)).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


@pytest.fixture
def command(simple_loss, photos, painting_path, weights_path, tmp_path):
    return [
        *(str(photos), str(painting_path), str(tmp_path / "results")),
        *("--weights", str(weights_path), "--size", "24", "--iter", "1"),
    ]


@pytest.fixture
def two_threads(monkeypatch):
    """Threads stand in for the processes, as many as there would be."""

    @contextlib.contextmanager
    def processes(number, gpus=0):
        with ThreadPoolExecutor(number) as executor:
            yield executor

    for module in (paint_folder, pool):
        monkeypatch.setattr(module, "processes", processes)


def painted(tmp_path):
    """The results' names, each as often as the log says that it was painted."""
    lines = (tmp_path / "results" / "log.jsonl").read_text().splitlines()
    entries = [entry for entry in map(json.loads, lines) if entry["status"] == "painted"]
    return [os.path.relpath(entry["result"], tmp_path / "results") for entry in entries]


def test_paints_a_folder_as_it_would_each_picture(one_process, command, photos, tmp_path, capsys):
    assert nst.main(command) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert re.search(r"1 of 3: .*results/a\.png in \d+s, about \d+s left\n", out)
    assert re.search(r"3 painted, 0 already finished, 0 failed; see .*results/index.html\n$", out)
    assert painted(tmp_path) == ["a.png", "b.png", "sub/c.png"]
    saved = {str(p.relative_to(tmp_path / "results")) for p in (tmp_path / "results").rglob("*.*")}
    assert saved == {"a.png", "b.png", "sub/c.png", "index.html", "log.jsonl"}
    page = (tmp_path / "results" / "index.html").read_text()
    assert 'src="../photos/sub/c.webp"' in page and 'src="sub/c.png"' in page

    assert nst.main([str(photos / "b.jpg"), command[1], str(tmp_path / "alone"), *command[3:]]) == 0
    alone = (tmp_path / "alone.png").read_bytes()
    assert (tmp_path / "results" / "b.png").read_bytes() == alone


def test_each_picture_is_planned_and_each_file_hashed_once(one_process, command, monkeypatch):
    """Planned once to see what it needs, and once where it is painted."""
    plans, hashed, plan, digest = [], [], photo.plan, hashlib.file_digest
    monkeypatch.setattr(photo, "plan", lambda args: plans.append(args.base) or plan(args))
    monkeypatch.setattr(
        hashlib, "file_digest", lambda file, kind: hashed.append(file.name) or digest(file, kind)
    )
    assert nst.main(command) == 0
    assert len(plans) == 2 * len(set(plans)) == 2 * 3
    assert len(hashed) == len(set(hashed)) == 3 + 1  # the photos, and the style


def test_what_is_finished_is_not_painted_again(one_process, command, tmp_path, monkeypatch, capsys):
    assert nst.main([*command, "--plot"]) == 0
    monkeypatch.setattr(photo, "run", None)  # calling it would be a TypeError
    assert nst.main(command) == 0
    assert "0 painted, 3 already finished, 0 failed" in capsys.readouterr().out


def test_every_try_is_kept_unless_it_is_to_be_overwritten(one_process, command, tmp_path, capsys):
    folder = tmp_path / "results"
    assert nst.main(command) == 0
    before = (folder / "sub/c.png").read_bytes()
    assert nst.main([*command, "--strength", "0.6", "--every_iteration"]) == 0
    out = capsys.readouterr().out
    assert f"The earlier {folder}/sub/c.png is kept as {folder}/sub/c.1.png\n" in out
    assert out.count("The earlier") == 3
    assert (folder / "sub/c.1.png").read_bytes() == before
    assert (folder / "sub/c_at_iteration_0.png").exists()
    assert nst.main([*command, "--overwrite"]) == 0
    assert nst.main([*command, "--overwrite"]) == 0
    out = capsys.readouterr().out
    assert "The earlier" not in out and out.count("3 painted, 0 already finished") == 2
    assert (folder / "sub/c.png").read_bytes() == before
    assert not list(folder.rglob("*_at_iteration_*"))


def rename_style(command):
    command[1] = str(Path(command[1]).rename(f"{command[1]}_renamed.png"))


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (lambda folder, command: command.extend(["--strength", "0.6"]), {"a", "b", "c"}),
        (lambda folder, command: command.extend(["--gif"]), {"a", "b", "c"}),
        (lambda folder, command: shutil.copy(folder / "photos/a.png", command[1]), {"a", "b", "c"}),
        (lambda folder, command: shutil.copy(command[1], folder / "photos/a.png"), {"a"}),
        (lambda folder, command: (folder / "results/b.png").write_bytes(b"edited"), {"b"}),
        (lambda folder, command: (folder / "results/b_state.npz").touch(), {"b"}),
        (lambda folder, command: (folder / "results/sub/c.png").unlink(), {"c"}),
        (lambda folder, command: rename_style(command), set()),
    ],
    ids=["settings", "film", "style", "photo", "edited", "killed at its end", "removed", "name"],
)
def test_what_has_changed_is_painted_again(one_process, change, again, command, tmp_path):
    assert nst.main(command) == 0
    change(tmp_path, command)
    assert nst.main(command) == 0
    assert {os.path.basename(name)[0] for name in painted(tmp_path)[3:]} == again


def test_other_weights_and_another_version_paint_again(one_process, command, tmp_path, monkeypatch):
    assert nst.main(command) == 0
    with monkeypatch.context() as patch:
        patch.setattr(VGG19Weights, "digest", property(lambda _: "another"))
        assert nst.main(command) == 0
    assert len(painted(tmp_path)) == 6
    monkeypatch.setattr(metadata, "__version__", "another")
    assert nst.main(command) == 0
    assert len(painted(tmp_path)) == 9


def test_bad_picture_is_named_and_does_not_stop_the_rest(one_process, command, photos, capsys):
    (photos / "bad.png").write_text("hello")
    for finished in (0, 3):
        assert nst.main([*command, "--quiet"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(r"\S+: error: picture .*photos/bad.png: not a picture.*\n", err)
        assert finished == 0 or "bad.png: not a picture" in (
            (photos.parent / "results" / "index.html").read_text()
        )
    (photos / "bad.png").unlink()  # nothing is painted any more, but the page had a failure
    assert nst.main([*command, "--quiet"]) == 0
    assert "bad.png" not in (photos.parent / "results" / "index.html").read_text()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--strength", "50"), "--strength must be from 0 to 1, received '50'; did you mean 0.5"),
        (("--style_scale", "1", "2"), "--style_scale must have one value for each style"),
    ],
)
def test_option_that_cannot_be_is_said_once_and_changes_nothing(
    option, message, command, tmp_path, capsys
):
    assert nst.main([*command, *option]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "results").exists()


def test_what_failed_counts_as_done_with(one_process, command, photos, capsys):
    (photos / "a_bad.png").write_text("hello")
    assert nst.main(command) == 1
    assert re.findall(r"^\d of \d(?=: )", capsys.readouterr().out, re.MULTILINE)[-1] == "4 of 4"


def test_picture_that_all_need_is_looked_at_first(one_process, command, photos, tmp_path, capsys):
    (tmp_path / "bad.png").write_text("hello")
    for pictures, message in (
        ([command[0], "nope.jpg"], "picture nope.jpg: no such file; check the path"),
        ([command[0], str(tmp_path / "bad.png")], "bad.png: not a picture"),
        (["nope.jpg", command[0]], "picture nope.jpg: no such file; check the path"),
        ([*command[:2], "--keep_mask", "nope.png"], "mask nope.png: no such file"),
    ):
        assert nst.main([*pictures, *command[2:]]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert not (tmp_path / "results").exists()


def test_the_time_is_told_before_where_there_is_much_to_paint(
    one_process, command, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(foretold, "MUCH", 0)
    monkeypatch.setattr(forecast, "measure", lambda *_: forecast.Pace(0, 600, 600))
    assert nst.main([*command, "--jobs", "1"]) == 0
    assert "3 pictures to paint, 1 at once, about 30 min\n" in capsys.readouterr().out
    (tmp_path / "results" / "a.png").unlink()
    assert nst.main([*command, "--jobs", "1"]) == 0
    said = "1 picture to paint, 1 at once, about 10 min; 2 already finished\n"
    assert said in capsys.readouterr().out


def test_mask_of_all_is_told_of_once(one_process, command, cut_out_path, capsys):
    assert nst.main([*command, "--keep_mask", str(cut_out_path)]) == 0
    out, err = capsys.readouterr()
    assert out.count(f"Mask {cut_out_path}: a cut-out: ") == 1 and err == ""


@pytest.mark.skipif(not files.fcntl, reason="Windows has no such locks")
def test_two_runs_into_one_folder_do_not_mix(one_process, command, tmp_path, capsys):
    (tmp_path / "results").mkdir()
    with files.alone(tmp_path / "results" / ".folder"):  # as a run that paints
        assert nst.main(command) == 2
        assert os.listdir(tmp_path / "results") == ["..folder.lock"]
    assert "results: another run is painting it; wait" in capsys.readouterr().err
    assert nst.main(command) == 0


def test_full_disk_stops_the_folder_which_goes_on_later(
    one_process, command, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", disk_full)
        assert nst.main([*command, "--jobs", "1"]) == 1
    out, err = capsys.readouterr()
    assert "0 painted, 0 already finished, 1 failed, 2 left unpainted" in out
    assert err.count("\n") == 1 and err.endswith(
        "results/a.png: No space left on device; free some space and try again: the same command, "
        "without --overwrite, paints what is left\n"
    )
    assert nst.main(command) == 0
    assert painted(tmp_path) == ["a.png", "b.png", "sub/c.png"]


def test_fail_fast_begins_nothing_more(one_process, command, photos, tmp_path, monkeypatch, capsys):
    run = photo.run

    def fails_at_b(args, *others):
        if args.base.endswith("b.jpg"):
            raise MemoryError
        run(args, *others)

    monkeypatch.setattr(photo, "run", fails_at_b)
    assert nst.main([*command, "--fail_fast", "--jobs", "1"]) == 1
    assert "1 painted, 0 already finished, 1 failed, 1 left unpainted" in capsys.readouterr().out
    assert painted(tmp_path) == ["a.png"]
    (photos / "bad.png").touch()
    assert nst.main([*command, "--fail_fast"]) == 1
    assert painted(tmp_path) == ["a.png"]


def test_faults_of_any_kind_are_named(one_process, command, monkeypatch, capsys):
    monkeypatch.setattr(nst, "stage_objective", lambda *_: 1 / 0)
    assert nst.main([*command, "--jobs", "1"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert re.search(r"photos/a.png: ZeroDivisionError: division by zero$", lines[0])


@pytest.mark.parametrize("deaths", [1, 2])
def test_picture_whose_process_is_killed_is_painted_again_at_the_end(
    deaths, two_threads, command, tmp_path, monkeypatch, capsys
):
    """Two are painted at a time; one of the first two dies, with a state, while the other runs."""
    failed, evaluations, lock = deaths == 2, [], threading.RLock()
    on_evaluation = PhotoConsole.on_evaluation

    def dying(self, event):
        on_evaluation(self, event)
        if self._prefix.endswith("a"):
            evaluations.append(self.evaluations)
            if len(evaluations) in (30, 40)[:deaths]:
                raise KeyboardInterrupt

    def as_broken(function):
        def call(*given):
            try:
                with lock:
                    return function(*given)
            except KeyboardInterrupt:
                raise BrokenProcessPool from None

        return call

    for name in ("paint_photo", "paint_photo_again"):
        monkeypatch.setattr(paint_folder, name, as_broken(getattr(paint_folder, name)))
    monkeypatch.setattr(PhotoConsole, "on_evaluation", dying)
    assert nst.main([*command, "--iter", "3", "--jobs", "2"]) == failed
    out, err = capsys.readouterr()
    assert out.count("photos/a.png: its process was killed\n") == deaths
    assert "1 picture to paint again, one at a time\n" in out
    assert ("photos/a.png: the process painting it was killed on both tries" in err) == failed
    assert evaluations[30] > 15  # not from the start
    others = {"b.png", "sub/c.png"}
    assert set(painted(tmp_path)[:2]) == others
    assert painted(tmp_path)[2:] == ([] if failed else ["a.png"])


def damage(state):
    """Changes a number in one of a state's arrays; all that it says of itself is still sound."""
    content = bytearray(state.read_bytes())
    with zipfile.ZipFile(state) as archive:
        start = archive.getinfo("start.npy")
    content[start.header_offset + start.file_size // 2] ^= 1
    state.write_bytes(content)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_stopped_picture_is_resumed_or_painted_anew(
    is_damaged, one_process, command, tmp_path, monkeypatch, capsys
):
    command = [*command, "--iter", "3", "--jobs", "1"]
    assert nst.main(command) == 0
    whole = (tmp_path / "results" / "b.png").read_bytes()
    (tmp_path / "results" / "b.png").unlink()
    on_evaluation, evaluations = PhotoConsole.on_evaluation, []

    def counting(self, event):
        on_evaluation(self, event)
        evaluations.append(self.evaluations)
        if len(evaluations) == 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(PhotoConsole, "on_evaluation", counting)
    capsys.readouterr()
    assert nst.main(command) == 130
    out, err = capsys.readouterr()
    assert re.search("\n0 painted, 2 already finished, 0 failed, 1 left unpainted; see ", out)
    assert re.search("interrupted; resume with: .*--jobs 1\n$", err)
    state = tmp_path / "results" / "b_state.npz"
    assert state.exists()
    if is_damaged:
        damage(state)
    assert nst.main(command) == 0
    assert evaluations[30] == 1 if is_damaged else evaluations[30] > 15
    assert (tmp_path / "results" / "b.png").read_bytes() == whole
    assert painted(tmp_path) == ["a.png", "b.png", "sub/c.png", "b.png"]


def test_like_serves_a_whole_folder(one_process, command, tmp_path):
    assert nst.main([*command, "--strength", "0.6"]) == 0
    like = [*command[:2], str(tmp_path / "more"), *command[3:5]]
    assert nst.main([*like, "--like", str(tmp_path / "results" / "a.png")]) == 0
    for name in ("a.png", "b.png", "sub/c.png"):
        again = (tmp_path / "more" / name).read_bytes()
        assert again == (tmp_path / "results" / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "--jobs must be at least 1, received 0"),
        (["--pairs"], "--pairs needs a folder of photos and a folder of styles"),
        (["--final_only"], "is a folder; leave it out: there is one file for each anyway"),
        (["--watch", "--overwrite"], "--watch and --overwrite exclude each other; give one"),
    ],
)
def test_bad_option(options, message, command, capsys):
    assert nst.main([*command, *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("folder", [True, False])
def test_ray_that_is_not_installed(folder, one_process, command, photo_path, monkeypatch, capsys):
    for name in ("ray", "stylize.parallel.ray_cluster"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delattr(parallel, "ray_cluster", raising=False)
    base = command[0] if folder else str(photo_path)
    assert nst.main([base, *command[1:], "--ray", "local"]) == 2
    assert 'pip install ".[ray]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pictures", "gpus", "cores", "allowed", "wanted", "jobs"),
    [
        (9, 0, 4, 8000, None, 4),  # a core each
        (3, 0, 8, 8000, None, 3),  # no more than there are pictures
        (9, 0, 8, 3500, None, 3),  # as memory allows
        (9, 0, 8, 500, None, 1),
        (9, 0, 1, 8000, None, 1),
        (20, 0, 16, math.inf, None, 8),  # as memory allows, too
        (9, 2, 8, 500, None, 2),  # a GPU each, that has its own memory
        (9, 0, 8, 500, 5, 5),  # as the user wants
        (3, 0, 8, 8000, 5, 3),
    ],
)
def test_number_of_jobs(pictures, gpus, cores, allowed, wanted, jobs, monkeypatch):
    monkeypatch.setattr(pool.machine, "free_memory", lambda: 10_500)  # four fifths: 8400
    demand = Demand(pictures, 1000, gpus, allowed)
    assert pool.choose_jobs(demand, cores, wanted) == jobs
    fewer = pool.choose_jobs(demand._replace(cores_each=2), cores, wanted)
    assert fewer == (jobs if wanted or gpus else max(1, min(cores // 2, jobs)))


@pytest.mark.parametrize(
    ("jobs", "gpus", "allowed", "share"),
    [
        (1, 0, 8192, None),
        (4, 0, 8192, 2048),
        (2, 2, 8192, None),  # each has its GPU's
        (4, 2, 8192, 4096),
        (4, 0, math.inf, None),  # --tile off: nobody counts
    ],
)
def test_processes_share_the_memory(jobs, gpus, allowed, share):
    assert pool.memory_each(Demand(9, 1000, gpus, allowed), jobs) == share


# ---------------------------------------------------------------------------------------------
# In processes of their own
# ---------------------------------------------------------------------------------------------


def start(command, weights):
    command[command.index("--weights") + 1] = str(weights)
    return own_group([sys.executable, nst.__file__, *command, "--jobs", "2"])


def test_killed_process_is_an_error_of_one_line():
    with pool.processes(1) as executor:
        future = executor.submit(os._exit, 9)
        with pytest.raises(OSError) as caught:
            pool.result(future)
    assert failure(caught.value) == (
        *(1, "a process: was killed, perhaps for lack of memory; give fewer --jobs"),
    )


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.05)


def test_killed_process_leaves_the_others_running_and_is_replaced_on_its_gpu(tmp_path):
    with pool.processes(2, gpus=2) as executor:
        killed = executor.submit(os._exit, 9)
        waiting = executor.submit(wait_for, tmp_path / "go")
        assert isinstance(killed.exception(), BrokenProcessPool)
        assert executor.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() == "0"
        assert not waiting.done()
        (tmp_path / "go").touch()
        assert waiting.result() is None


def test_no_process_is_started_once_an_error_has_ended_them():
    with pytest.raises(ZeroDivisionError), pool.processes(1) as executor:
        executor.submit(os.getpid).result()
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="the processes have ended"):
        executor.submit(os.getpid)


def test_an_error_ends_our_own_processes_and_no_others():
    other = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    other.start()
    try:
        with pytest.raises(ZeroDivisionError), pool.processes(1) as executor:
            pid = executor.submit(os.getpid).result()
            executor.submit(time.sleep, 60)
            raise ZeroDivisionError
        assert not psutil.pid_exists(pid)
        assert other.is_alive()
    finally:
        other.kill()
        other.join()


@pytest.mark.skipif(os.name == "nt", reason="no process groups there")
def test_killed_process_costs_no_picture(command, photos, full_weights_path, tmp_path):
    (photos / "b.jpg").unlink()
    command += ["--recipe", "keras", *SHALLOW]
    command[command.index("--iter") + 1] = "60"  # so that it is still being painted then
    with start(command, full_weights_path) as run:
        deadline = time.monotonic() + 90
        while not (states := list((tmp_path / "results").rglob("*_state.npz"))):
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        largest = max(psutil.Process(run.pid).children(), key=lambda p: p.memory_info().rss)
        largest.kill()
        out, err = run.communicate(timeout=90)
    assert (run.returncode, err) == (0, "")
    assert states and "its process was killed\n" in out and "2 painted" in out
    assert sorted(painted(tmp_path)) == ["a.png", "sub/c.png"]


@pytest.mark.skipif(os.name == "nt", reason="no process groups there")
@pytest.mark.parametrize(
    ("stop", "whom", "status"),
    [
        (signal.SIGINT, os.killpg, 130),
        (signal.SIGHUP, os.killpg, 143),
        (signal.SIGKILL, os.kill, -9),
    ],
    ids=["Ctrl-C", "terminal closed", "killed"],
)
def test_stopped_processes_end_and_keep_what_they_did(
    stop, whom, status, command, full_weights_path, tmp_path
):
    """All of them end, also where only the parent was told, or could not tell them."""
    command += ["--iter", "100000", "--recipe", "keras", *SHALLOW]
    command.append("--quiet")  # no time to foresee
    with start(command, full_weights_path) as run:
        deadline = time.monotonic() + 90
        while len(list((tmp_path / "results").glob("*_state.npz"))) < 2:
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        whom(run.pid, stop)
        _, err = run.communicate(timeout=30)
        while alive(run.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(run.pid)
    assert run.returncode == status
    if stop != signal.SIGKILL:
        slow = r"(Stopping, which may take a while\n)?"  # where the machine is busy
        assert re.fullmatch(slow + r".*: error: \w+; resume with: .*--jobs 2\n", err), err
    assert len(list((tmp_path / "results").glob("*_state.npz"))) == 2
    hidden = {path.name for path in (tmp_path / "results").glob(".*")}
    if stop == signal.SIGKILL:  # as it wrote a state, perhaps, which the next run removes
        hidden -= {name for name in hidden if name.endswith(".tmp.npz")}
    assert hidden == ({"..folder.lock"} if stop == signal.SIGKILL else set())  # keeps nobody out


def test_run_that_is_stopped_while_it_looks_says_nothing_of_pictures_it_has_not_seen(
    one_process, command, tmp_path, monkeypatch, capsys
):
    assert nst.main(command) == 0
    page = (tmp_path / "results" / "index.html").read_text()

    def stop(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(paint_folder, "survey", stop)
    capsys.readouterr()
    assert nst.main(command) == 130
    out = capsys.readouterr().out
    assert (
        "Stopped before it was known which pictures are finished" in out and "0 painted" not in out
    )
    assert (tmp_path / "results" / "index.html").read_text() == page


def test_photos_are_never_replaced_by_their_results(one_process, command, tmp_path, capsys):
    folder = Path(command[0])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert nst.main([command[0], command[1], command[0], *command[3:]]) == 2
    assert "would be overwritten by a result; choose another" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_photos_are_never_replaced_by_pictures_on_the_way(one_process, command, tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("a.jpg", "a_at_iteration_0.png"):
        Image.new("RGB", (20, 20)).save(folder / name)
    assert nst.main([str(folder), command[1], str(folder), *command[3:]]) == 2
    assert "a_at_iteration_0.png: would be overwritten by a result" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text"), [("index.html", "<h1>My photos</h1>"), ("log.jsonl", '{"epoch": 1}\n')]
)
def test_a_page_or_log_of_the_user_is_left_alone(
    name, text, one_process, command, tmp_path, capsys
):
    path = Path(command[2]) / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert nst.main(command) == 2
    assert (
        f"{name}: was not written by this program; rename or remove it" in capsys.readouterr().err
    )
    assert path.read_text() == text


@pytest.mark.parametrize("folder", ["index.html", "log.jsonl", "a.png"])
def test_folder_of_results_with_the_name_of_a_result_is_named(
    folder, one_process, command, photos, capsys, monkeypatch
):
    monkeypatch.setattr(paint_folder, "survey", None)
    (photos / "a.png").rename(photos / "a.jpg")
    (photos / "sub").rename(photos / folder)
    assert nst.main(command) == 2
    assert (
        f"{folder}: would be both a file and a folder of results; rename" in capsys.readouterr().err
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", None)])
def test_what_is_no_file_is_named_before_anything_is_painted(
    make, one_process, command, tmp_path, capsys, monkeypatch
):
    """A pipe would be waited for, and a folder be found when all is painted."""
    monkeypatch.setattr(paint_folder, "survey", None)  # calling it would be a TypeError
    for name in ("index.html", "log.jsonl", "a.png", "a_state.npz", "a_losses.csv"):
        path = Path(command[2]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
        assert nst.main(command) == 2
        assert f"{name}: is not a file, but a result needs this name" in capsys.readouterr().err
        path.rmdir() if path.is_dir() else path.unlink()
