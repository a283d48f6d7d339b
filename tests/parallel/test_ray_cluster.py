"""Pictures and tiles on the workers of a Ray cluster: two nodes, both on this machine."""

import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import SHALLOW, small_weights, smooth_picture
from PIL import Image
from test_documentation import ROOT, documented_commands

import neural_style_transfer as nst
from stylize.apps.folder import paint_folder
from stylize.apps.folder.paint_folder import Outcome
from stylize.apps.options import parse
from stylize.backend import tensors
from stylize.backend.files import alone
from stylize.errors import InputError, NoRoom, WeightsError
from stylize.images.ffmpeg import Mp4Writer
from stylize.runs.job import prepare
from stylize.runs.recipes import RECIPES

ray = pytest.importorskip("ray")
from kill_node import free_port, node, paint_and_kill, painted, two_nodes  # noqa: E402
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError  # noqa: E402

from stylize.parallel import ray_cluster  # noqa: E402
from stylize.parallel.ray_worker import INPUTS, Worker, versions  # noqa: E402

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def nodes():
    """(address, environment, second node), two cores each."""
    if sys.platform != "linux":
        pytest.skip("Ray's clusters of several nodes are for Linux")
    with two_nodes() as (address, environment, second), pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield address, environment, second


@pytest.fixture
def connect(nodes):
    """Workers with a core each, up to so many."""
    return lambda most: ray_cluster.connect(nodes[0], 100, cores_each=1, most=most)


# ---------------------------------------------------------------------------------------------
# Tiles
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def evaluate():
    """Loss and gradient of a picture in four tiles, by shallow layers, soon compiled."""
    layers = {"content_layers": {"block2_conv1": 1}, "style_layers": {"block1_conv1": 1}}
    pictures = smooth_picture(64, 60, 1), smooth_picture(50, 40, 2)
    job = prepare(*pictures, RECIPES["pyramid"] | layers, size=64, tile=32)
    stage = job.stages[-1]

    def evaluate(**passes):
        objective = nst.stage_objective(job._replace(**passes), small_weights(), stage)
        assert len(objective.tiles) == 4
        return objective(job.start(stage).ravel())

    return evaluate


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_loss_and_gradient_have_the_same_bits_whoever_computes_the_tiles(connect, evaluate):
    here = evaluate()
    with connect(3) as workers:  # on both nodes
        every = workers.alive
        for number in (1, 3):
            workers.alive = every[:number]
            assert same(evaluate(passes=workers.passes), here)

        class DyingBetweenPasses(ray_cluster.ClusterPasses):
            def map(self, name, picture, *others):
                if name == "losses":
                    ray.kill(workers.alive[1])
                yield from super().map(name, picture, *others)

        assert same(evaluate(passes=lambda *given: DyingBetweenPasses(workers, *given)), here)
        assert len(workers.alive) == 2  # and its tiles are with another
        for worker in workers.alive:
            ray.kill(worker)
        with pytest.raises(ConnectionError, match="no worker is left"):
            evaluate(passes=workers.passes)


def other_versions(backend):
    """Those of this machine, but for NumPy's."""
    found = versions(backend)
    assert set(found) == {"this program", "keras", backend, "numpy"}
    assert all(re.match(r"\d+\.\d+", version) for version in found.values())
    return found | {"numpy": "0.0"}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            lambda patch: patch.setattr(ray_cluster, "versions", other_versions),
            r"[\d.]+ has numpy [\d.]+ \(here 0.0\); install the same on all machines$",
        ),
        (lambda patch: patch.setattr(ray_cluster, "START_SECONDS", 0), "has a core free"),
        (lambda patch: patch.setattr(ray_cluster.ray, "nodes", list), "has a core free"),
    ],
    ids=["other versions", "busy", "none"],
)
def test_cluster_that_cannot_be_used(fault, message, connect, monkeypatch):
    fault(monkeypatch)
    with pytest.raises(InputError, match=message), connect(1):
        pass


def test_cluster_that_takes_orders_from_anybody_is_refused(nodes):
    """One node without a token, joined by a process that has one."""
    address, environment = f"127.0.0.1:{free_port()}", nodes[1]
    head = "--head", "--port", address.partition(":")[2], "--include-dashboard", "false"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        own = {"TMPDIR": folder, "RAY_TMPDIR": folder, "RAY_AUTH_MODE": "disabled"}
        with node(environment | own, *head, "--num-cpus", "1"):
            port = address.partition(":")[2]
            message = rf"--ray {address}: whoever reaches [\d.]+:{port} can run programs on this"
            with pytest.raises(InputError, match=message), ray_cluster.connect(address, 100, 1, 1):
                pass
    assert not ray.is_initialized()


# ---------------------------------------------------------------------------------------------
# Pictures
# ---------------------------------------------------------------------------------------------


def documented(base):
    """The README's command for this."""
    (command,) = (c.split() for c in documented_commands() if c.startswith(base) and "--ray" in c)
    return command


@pytest.fixture
def command(full_weights_path, painting_path, tmp_path, nodes, monkeypatch):
    """The README's, for a folder of six small pictures."""
    monkeypatch.chdir(tmp_path)
    Path("painting.jpg").symlink_to(painting_path)
    Path("photos").mkdir()
    for seed in range(6):
        Image.fromarray(smooth_picture(40, 48, seed)).save(f"photos/{seed}.png")
    *command, _ = documented("photos/")
    return [*command, nodes[0], "--weights", str(full_weights_path), "--size", "24"]


def test_interrupted_run_leaves_nothing_behind(command, connect, nodes):
    _, environment, _ = nodes
    temporary = Path(environment["TMPDIR"])
    before = set(temporary.glob("neural-style-transfer-*"))
    command = [sys.executable, nst.__file__, *command, "--iter", "100000", "--recipe", "keras"]
    run = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert run.stdout.readline() == "Checking 6 pictures\n"
    assert run.stdout.readline() == "6 pictures to paint, 2 at once\n"
    deadline = time.monotonic() + 30
    while not any(path.is_file() for path in temporary.glob("neural-style-transfer-*/*/*")):
        assert run.poll() is None and time.monotonic() < deadline  # a worker has files to remove
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert out.startswith("0 painted, 0 already finished, 0 failed, 6 left unpainted; see ")
    slow = r"(Stopping, which may take a while\n)?"  # where the machine is busy
    assert re.fullmatch(slow + r".*: error: interrupted; resume with: .*\n", err), err
    assert set(temporary.glob("neural-style-transfer-*")) == before
    with connect(4) as workers:  # all cores are free
        assert len(workers.alive) == 4


def test_folder_is_painted_by_what_is_left_when_a_node_dies(command, nodes):
    """The last test that has two nodes."""
    _, environment, second = nodes
    results = Path("results/holiday")
    slowly = "--iter", "10", "--recipe", "keras"  # none is done before the node's death is known
    started = [sys.executable, nst.__file__, *command, *slowly]
    out, err = paint_and_kill(started, results, second, environment, after=1)
    assert "2 at once" in out and "has died; workers left: 1" in out and err == "", out
    assert sorted(painted(results)) == [str(results / f"{seed}.png") for seed in range(6)]

    assert len(list(results.glob("*.png"))) == 6
    assert not list(results.glob("*_state.npz")) and not list(results.glob(".*"))


def test_large_picture_on_a_cluster_of_this_machine_alone(
    photo_path, painting_path, weights_path, tmp_path, monkeypatch
):
    """The README's command; the same without Ray."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("photo.jpg").symlink_to(photo_path)
    Path("painting.jpg").symlink_to(painting_path)
    small = ["--size", "48", "--tile", "32", "--iter", "1", "--recipe", "pyramid"]
    quick = ["--weights", str(weights_path), *SHALLOW, *small]
    *command, option, address = documented("photo.jpg")
    assert nst.main([*command, option, address, *quick]) == 0
    wall = Path("results/wall.png").read_bytes()
    assert nst.main([*command, *quick, "--overwrite"]) == 0
    assert Path("results/wall.png").read_bytes() == wall


def test_scenes_of_a_film_on_a_cluster_of_this_machine_alone(
    one_process, weights_path, painting_path, tmp_path, monkeypatch, capfd
):
    """The README's command, for two scenes of two frames; the same without Ray."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("painting.jpg").symlink_to(painting_path)
    writer = Mp4Writer(Path("clip.mp4"), (48, 40), 12)
    for seed in (1, 2):
        writer.write(Image.fromarray(smooth_picture(40, 48, seed)), 2)
    writer.finish()
    *command, option, address = documented("clip.mp4")
    quick = ["--weights", str(weights_path), "--size", "24", "--iter", "1"]
    quick += ["--recipe", "pyramid", *SHALLOW]
    films = []
    for more in ([option, address], ["--jobs", "1"]):
        assert nst.main([*command, *quick, *more]) == 0
        assert capfd.readouterr().err == ""
        films.append(Path("results/clip.mp4").read_bytes())
        Path("results/clip.mp4").unlink()
    assert films[0] == films[1]


# ---------------------------------------------------------------------------------------------
# Without a cluster
# ---------------------------------------------------------------------------------------------


class Actor:
    """Does what it is told to, as often as it is asked."""

    def __init__(self, does):
        self.run = SimpleNamespace(remote=lambda *arguments: does)


@pytest.fixture
def options(painting_path, tmp_path, monkeypatch):
    """Those of a photo, for a cluster of such actors."""
    monkeypatch.setattr(ray_cluster.ray, "put", lambda content: content)
    monkeypatch.setattr(ray_cluster.ray, "get", lambda does: does())
    own = {"base": str(painting_path), "result_prefix": str(tmp_path / "result")}
    return Namespace(**dict.fromkeys(INPUTS) | own)


def cluster_of(*deeds, on_death=lambda line: None):
    places = {Actor(does): ray_cluster.Place("", "a host", 1, 0, 100.0) for does in deeds}
    return ray_cluster.Cluster(places, on_death)


def dies():
    raise RayActorError


def fails_with(cause):
    """What an actor does in which this was raised."""
    said = "".join(traceback.format_exception(cause))
    error = RayTaskError("run", said, cause, "a worker", ip="127.0.0.1").as_instanceof_cause()

    def fails():
        raise error

    return fails


def paints():
    return "an outcome", {"result.png": b"a picture"}


def dies_without_memory():
    raise OutOfMemoryError("the machine has none")


@pytest.mark.parametrize("death", [dies, dies_without_memory])
def test_photo_of_a_worker_that_dies_goes_to_another(death, options, tmp_path):
    said = []
    workers = cluster_of(death, paints, on_death=said.append)
    for _ in range(2):
        assert workers.run(None, options) == "an outcome"
    assert (tmp_path / "result.png").read_bytes() == b"a picture"
    assert said == ["a worker on a host has died; workers left: 1"]


def test_photo_of_a_worker_whose_disk_is_full_goes_to_another(options):
    """And no more go to that one, which would fail them all."""
    said, full = [], fails_with(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    workers = cluster_of(full, paints, on_death=said.append)
    for _ in range(2):
        assert workers.run(None, options) == "an outcome"
    assert said == ["a worker on a host has no space left on its disk; workers left: 1"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
            "cannot write: No space left on device; free some space and try again",
        ),
        (NoRoom("scratch: 9 GiB of disk are needed"), "scratch: 9 GiB of disk are needed"),
    ],
)
def test_a_full_disk_is_the_workers_fault_and_not_the_photos(
    error, message, photo_path, painting_path, weights_path, small_vgg19, tmp_path, monkeypatch
):
    """Where a photo is painted on this machine alone, there is no other disk."""
    command = [str(photo_path), str(painting_path), str(tmp_path / "r"), "--size", "24"]
    args = parse([*command, "--weights", str(weights_path)])

    def paint(*_, **more):
        raise error

    monkeypatch.setattr(nst, "paint", paint)
    assert paint_folder.paint_photo(args).error.endswith(message)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        paint_folder.paint_photo(args, small_vgg19)


def test_frame_is_painted_with_the_weights_that_a_worker_keeps(worker):
    assert worker.call(lambda *given: given, 1, 2) == ("the weights", 1, 2)


def test_fault_in_a_frame_names_its_film(options):
    workers = cluster_of(fails_with(MemoryError()))
    for worker in workers.alive:
        worker.call = worker.run
    with pytest.raises(ChildProcessError, match="MemoryError: 'clip.mp4'"):
        workers.call("clip.mp4", print)


def test_photo_that_costs_one_worker_after_another_is_given_up(options):
    workers = cluster_of(dies, dies, dies, paints)
    with pytest.raises(ChildProcessError, match="has cost 3 workers"):
        workers.run(None, options)
    assert workers.run(None, options) == "an outcome"


def test_when_the_last_worker_has_died(options):
    workers = cluster_of(dies, dies)
    for _ in range(2):
        with pytest.raises(ConnectionError, match="no worker is left"):
            workers.run(None, options)


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        (OSError(errno.EACCES, "not allowed"), r"PermissionError: \[Errno \d+\] not allowed"),
        (MemoryError(), "MemoryError"),
        (ConnectionError("reset"), "ConnectionError: reset"),  # not: no worker is left
        (ZeroDivisionError("of no kind we know"), "ZeroDivisionError: of no kind we know"),
        (RayActorError(), ".*"),  # the worker that says so is alive
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_goes_wrong_in_a_worker_itself_is_a_line_and_costs_its_photo_only(
    cause, line, options
):
    workers = cluster_of(fails_with(cause))
    for _ in range(2):
        outcome = paint_folder._paint_there(workers, options)
        assert outcome.status == "failed"
        assert re.fullmatch(f"{options.base}: {line}", outcome.error)
    assert len(workers.alive) == 1


def test_photo_that_another_run_paints_is_sent_to_no_worker(options):
    workers = cluster_of(lambda: pytest.fail("it was sent"))
    with alone(options.result_prefix):
        outcome = paint_folder._paint_there(workers, options)
    assert outcome.status == "failed" and "another run is painting it" in outcome.error


def test_file_that_only_has_the_name_of_a_state_is_sent_to_no_worker(options, tmp_path):
    mine = tmp_path / "result_state.npz"
    mine.write_text("my own numbers")
    workers = cluster_of(lambda: pytest.fail("it was sent"))
    outcome = paint_folder._paint_there(workers, options)
    assert outcome.status == "failed" and "was not written by this program" in outcome.error
    assert mine.read_text() == "my own numbers"


def test_finished_photo_has_no_state_left(options, tmp_path):
    (tmp_path / "result_state.npz").touch()
    cluster_of(paints).run(None, options)
    assert not (tmp_path / "result_state.npz").exists()


def machine(name, cores=8, gpus=0, mib=8000.0, alive=True):
    resources = {"CPU": cores, "GPU": gpus, "memory": mib * 2**20 / ray_cluster.SHARE}
    return {"NodeID": name, "NodeManagerAddress": name, "Alive": alive, "Resources": resources}


A, B = ("a", 4, 0, 4000), ("b", 8, 0, 8000)


@pytest.mark.parametrize(
    ("machines", "most", "expected"),  # the machine, cores, GPUs and MiB of each worker
    [
        ([machine("a")], 9, [("a", 2, 0, 2000)] * 4),  # two cores each
        ([machine("a", cores=16)], 1, [("a", 16, 0, 8000)]),  # all, if there is no other
        ([machine("a", cores=1)], 9, [("a", 1, 0, 8000)]),
        ([machine("a", mib=3600)], 9, [("a", 2, 0, 1200)] * 3),  # as memory allows
        ([machine("a", mib=500)], 9, [("a", 8, 0, 500)]),  # but one
        ([machine("a", mib=500), machine("b")], 2, [("b", 4, 0, 4000)] * 2),  # who has none is out
        ([machine("a", mib=500, gpus=1)], 9, [("a", 8, 1, np.inf)]),  # its own memory counts
        ([machine("a", gpus=2)], 9, [("a", 4, 1, np.inf)] * 2),  # a GPU each
        ([machine("a", gpus=2)], 1, [("a", 8, 1, np.inf)]),
        ([machine("a"), machine("b")], 3, [A, B, A]),  # both have their part
        ([machine("a", alive=False), machine("b", cores=0)], 9, []),
    ],
)
def test_workers_are_placed_where_there_is_room(machines, most, expected):
    places = ray_cluster.place_workers(machines, needed_mib=1000, cores_each=2, most=most)
    assert [place[1:4] for place in places] == [row[:3] for row in expected]
    assert [place.memory_mib for place in places] == pytest.approx([row[3] for row in expected])


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """In this process; its files are in a folder of the test's own."""
    monkeypatch.setattr(ray_cluster.ray, "get", lambda content: content)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    worker = Worker({})
    worker.keep_weights("the weights")
    return worker


def test_worker_knows_files_by_their_own_paths(worker):
    """It has copies under the same names; what it says names the originals."""

    def paint(args, weights):
        assert weights == "the weights"
        named = [args.base, args.style_reference, *args.styles]
        assert [Path(path).name for path in named] == ["a.png", "b.png", "a.png"]
        contents = [Path(path).read_bytes() for path in named]
        Path(f"{args.result_prefix}.png").write_bytes(b"".join(contents))
        return Outcome("failed", error=f"{args.styles[0]}: bad")

    own = {"base": "x/a.png", "style_reference": "x/b.png", "styles": ["y/a.png"], "init": "noise"}
    args = Namespace(**dict.fromkeys(INPUTS) | own, result_prefix="results/c")
    files = {"x/a.png": b"1", "x/b.png": b"2", "y/a.png": b"3"}
    for _ in range(2):
        outcome, written = worker.run(paint, args, files, None)
        assert outcome.error == "y/a.png: bad"
        assert written == {"c.png": b"123"}


def test_half_a_copy_is_none(worker, monkeypatch):
    def half(path, content):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left")

    def paint(args, weights):
        assert Path(args.style_reference).read_bytes() == b"whole"
        return Outcome("painted")

    own = {"base": "a.png", "style_reference": "b.png", "result_prefix": "results/c"}
    args = Namespace(**dict.fromkeys(INPUTS) | own)
    files = {"b.png": b"whole", "a.png": b"photo"}
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(OSError, match="No space left"):
            worker.run(paint, args, files, None)
    assert worker.run(paint, args, files, None)[0].status == "painted"


def test_machine_without_internet_and_of_another_kind_paints_what_this_one_would(
    one_process, worker, photo_path, painting_path, weights_path, tmp_path, monkeypatch, capsys
):
    """It would fail at once, or take other weights; `auto` would be another precision there."""

    def no_internet(source):
        raise WeightsError("nothing can be reached")

    def run(*arguments):
        with monkeypatch.context() as there:
            there.setattr(paint_folder, "kept_weights", no_internet)
            there.setattr(tensors, "bfloat16_is_fast", lambda: True)
            return worker.run(*arguments)

    class There(Actor):
        def __init__(self):
            self.run = SimpleNamespace(remote=lambda *arguments: lambda: run(*arguments))
            self.keep_weights = SimpleNamespace(remote=worker.keep_weights)

    @contextlib.contextmanager
    def connect(*_):
        workers = ray_cluster.Cluster(
            {There(): ray_cluster.Place("", "there", 1, 0, 9000.0)}, print
        )
        with workers.executor:
            yield workers

    monkeypatch.setattr(ray_cluster, "connect", connect)
    monkeypatch.setattr(ray_cluster.ray, "put", lambda content: content)
    monkeypatch.setattr(ray_cluster.ray, "get", lambda it: it() if callable(it) else it)
    monkeypatch.setattr(tensors, "bfloat16_is_fast", lambda: False)
    (tmp_path / "photos").mkdir()
    photo_path.rename(tmp_path / "photos" / "a.png")
    command = [str(tmp_path / "photos"), str(painting_path), str(tmp_path / "results")]
    command += ["--weights", str(weights_path), "--size", "24", "--iter", "1"]
    command += ["--recipe", "pyramid", *SHALLOW]
    assert nst.main([*command, "--ray", "local"]) == 0
    assert "1 painted, 0 already finished, 0 failed" in capsys.readouterr().out
    assert nst.main(command) == 0
    assert "0 painted, 1 already finished, 0 failed" in capsys.readouterr().out
    before = (tmp_path / "results" / "a.png").read_bytes()
    assert nst.main([*command, "--strength", "0.7", "--ray", "local"]) == 0
    assert re.search(r"earlier \S+a\.png is kept as \S+a\.1\.png\n", capsys.readouterr().out)
    assert (tmp_path / "results" / "a.1.png").read_bytes() == before


@pytest.mark.parametrize("address", ["nowhere.invalid:6379", "127.0.0.1:1", "nonsense", "a:b"])
def test_address_where_nothing_is(address):
    with pytest.raises(
        InputError, match=f"--ray {address}: .*; give local, auto, or the HOST:PORT"
    ):
        ray_cluster._join(address)


def test_picture_of_one_tile_is_refused(photo_path, painting_path, weights_path, tmp_path, capsys):
    command = [str(photo_path), str(painting_path), str(tmp_path / "result"), "--size", "24"]
    assert nst.main([*command, "--weights", str(weights_path), "--ray", "local"]) == 2
    assert "--ray has nothing to share out: 28x24 pixels are one tile" in capsys.readouterr().err
