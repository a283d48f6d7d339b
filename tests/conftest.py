"""Pictures and networks that the tests share. Nothing here needs the net or real weights."""

import contextlib
import errno
import functools
import gc
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import png
import pytest
from PIL import Image

import neural_style_transfer as nst
import stylize.vgg.weights as vgg19
from stylize.apps.folder import paint_folder
from stylize.backend.tensors import keras
from stylize.parallel import pool

APP = Path(__file__).parent.parent / "app.py"
# Layers that are soon compiled, for a recipe that looks up no neighbours.
SHALLOW = ("--content_layers", "block2_conv1", "--style_layers", "block1_conv1")

# A key of our own to the clusters of these tests; Ray reads them when it is imported.
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex())
# Programs that tests start find their modules compiled, in folders that Git ignores.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config):
    """Imports Keras and its backend once, silently, before the first test, where tests run.

    Signals stop what is tested as in a terminal, even where the tests are started by `nohup` or in
    the background of a script, which have them ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.name != "nt" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        keras.backend.backend()


SLOW_FILES = (  # the slowest first
    *("test_server", "test_ray_cluster", "test_paint_folder", "test_paint_film"),
    *("test_neural_style_transfer", "test_studio", "test_photo", "test_tiles", "test_sameness"),
    *("test_checkpoint", "test_hostile_visitor", "test_api", "test_benchmarks", "test_notebook"),
    *("test_neighbors", "test_paint_choices", "test_documentation", "test_fuzz"),
)


def pytest_collection_modifyitems(items):
    """Puts slow files first: one that came last would keep a single process busy."""
    ranks = {name: rank for rank, name in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


def pytest_collection_finish():
    """The program collects garbage after each picture: what is there before is not looked at."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers(config):
    """Two processes for the whole suite; a file or two are done sooner in one."""
    return 2 if config.args_source is config.ArgsSource.TESTPATHS else 0


@pytest.fixture(autouse=True)
def keras_home(tmp_path, monkeypatch):
    """An empty cache of weights of the test's own."""
    home = tmp_path / "keras_home"
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home


@contextlib.contextmanager
def nothing_compiled():
    """It takes longer than all else with small pictures and networks."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow

    tensorflow.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tensorflow.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def eagerly():
    """Nothing is compiled in this module from here on."""
    with nothing_compiled():
        yield


@pytest.fixture
def evaluated_once():
    """Nothing is compiled in this test: by the fifth evaluation it would have been as quick."""
    with nothing_compiled():
        yield


class SimpleLoss:
    """In place of a `LossAndGrads`: how far a picture is from the photo's negative.

    Some pixels weigh more than others, so that no optimiser is done soon.
    """

    names = ("content", "style", "total_variation")

    def __init__(self, base):
        self.shape = (1, *base.shape)
        self._negative = -base.astype(np.float64).ravel()
        self._weights = np.geomspace(1e-2, 1e2, base.size) / base.size

    def __call__(self, x):
        difference = np.asarray(x, np.float64).ravel() - self._negative
        gradient = 2 * self._weights * difference
        return gradient @ difference * np.array([0.25, 0.125, 0.125]), gradient

    def on_device(self, combination):
        terms, gradient = self(keras.ops.convert_to_numpy(combination))
        return terms, gradient.reshape(self.shape).astype(np.float32)


@pytest.fixture
def simple_loss(monkeypatch):
    """No network runs, nothing is compiled: for what is around a run, its files and messages."""

    def stage_objective(job, weights, stage, x=None, level=None):
        return SimpleLoss((level or job.level(stage)).base)

    monkeypatch.setattr(nst, "stage_objective", stage_objective)


@pytest.fixture
def one_process(monkeypatch):
    """A thread stands in for all processes: everything in this one, one picture after another."""

    @contextlib.contextmanager
    def processes(number, gpus=0):
        with ThreadPoolExecutor(1) as executor:
            yield executor

    for module in (paint_folder, pool):
        monkeypatch.setattr(module, "processes", processes)


def random_weights(convolutions, seed=0):
    """A `VGG19Weights` of He-distributed kernels: deep features neither die nor explode."""
    rng = np.random.default_rng(seed)
    layers = {}
    for name, (inputs, outputs) in convolutions.items():
        kernel = rng.normal(0, np.sqrt(2 / (9 * inputs)), (3, 3, inputs, outputs))
        layers[name] = kernel.astype(np.float32), rng.normal(0, 0.1, outputs).astype(np.float32)
    return vgg19.VGG19Weights(layers, source="random")


@pytest.fixture
def small_vgg19(monkeypatch):
    """VGG19 with 4 to 8 channels: for this test, the shapes that weight files must have."""
    small = {
        name: (inputs if inputs == 3 else max(4, inputs // 64), max(4, outputs // 64))
        for name, (inputs, outputs) in vgg19.CONVOLUTIONS.items()
    }
    monkeypatch.setattr(vgg19, "CONVOLUTIONS", small)
    return random_weights(small)


@pytest.fixture
def weights_path(small_vgg19, tmp_path):
    """A weight file of the small VGG19."""
    path = tmp_path / "small.h5"
    vgg19.write_h5(small_vgg19, path)
    return path


@pytest.fixture(scope="session")
def full_vgg19():
    """VGG19 in its real shapes, with random weights."""
    return random_weights(vgg19.CONVOLUTIONS)


@pytest.fixture(scope="session")
def full_weights_path(tmp_path_factory):
    """A weight file of VGG19 in its real shapes, for programs that tests start.

    Layers with as many filters as channels pass their input through. The program leaves them out,
    so that it has a quarter of the layers to compile.
    """
    weights = random_weights(vgg19.CONVOLUTIONS)
    for kernel, bias in weights.layers.values():
        if kernel.shape[2] == kernel.shape[3]:
            kernel[:], bias[:] = 0, 0
            kernel[1, 1] = np.eye(len(bias))
    path = tmp_path_factory.mktemp("weights") / "full.h5"
    vgg19.write_h5(weights, path)
    return path


def named(objective, names=("content", "style", "total_variation")):
    """A stand-in for an objective, with the names of its losses, which an `Evaluator` asks for."""
    objective.names = names
    return objective


@functools.cache
def small_weights(side=None):
    """VGG19 with 4 to 8 channels; where a side is given, convolutions see nothing but that.

    Their features then depend on pixels as far away as any can, and on these alone; positive
    weights let no layer fall silent.
    """
    small = {
        name: (inputs if inputs == 3 else max(4, inputs // 64), max(4, outputs // 64))
        for name, (inputs, outputs) in vgg19.CONVOLUTIONS.items()
    }
    random = random_weights(small)
    if side:
        for kernel, _ in random.layers.values():
            tap = 1.5 * np.abs(kernel[side])
            kernel[:] = 0
            kernel[side] = tap
    return random


def numpy_cosines(queries, candidates):
    """The cosines of all pairs, float64 (queries, candidates)."""
    q, c = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, candidates))
    return q.astype(float) @ c.astype(float).T


def smooth_picture(rows, cols, seed):
    """A uint8 picture (rows, cols, 3) of soft blobs."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8))
    return np.asarray(coarse.resize((cols, rows), Image.Resampling.BICUBIC))


@pytest.fixture
def photo():
    return smooth_picture(40, 48, seed=1)


@pytest.fixture
def painting():
    return smooth_picture(64, 50, seed=2)


@pytest.fixture
def photo_path(photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def cut_out_path(photo, tmp_path):
    """The left half of the photo on nothing."""
    cut_out = Image.fromarray(photo).convert("RGBA")
    cut_out.paste((0, 0, 0, 0), (cut_out.width // 2, 0, *cut_out.size))
    cut_out.save(tmp_path / "cut_out.png")
    return tmp_path / "cut_out.png"


@pytest.fixture
def painting_path(painting, tmp_path):
    Image.fromarray(painting).save(tmp_path / "painting.png")
    return tmp_path / "painting.png"


def make_bad_picture(kind, folder):
    """A path that `load_image` must refuse."""
    path = folder / "bad.png"
    if kind == "a folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "no picture":
        path.write_text("hello")
    elif kind == "truncated":
        Image.effect_noise((99, 99), 50).save(path)
        path.write_bytes(path.read_bytes()[:3000])
    elif kind == "too small":
        Image.new("RGB", (15, 99)).save(path)
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a bomb":
        header = (20000).to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
        with path.open("wb") as file:
            png.write_chunks(file, [(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")])
    return path


BAD_PICTURES = {
    "missing": "no such file; check the path",
    "a folder": "is a folder; give one picture in it",
    "empty": "the file is empty",
    "no picture": "not a picture that can be read; save it as JPEG, PNG, WebP, .* HEIC or AVIF",
    "truncated": "damaged or truncated",
    "too small": "15x99 pixels is too small; a picture needs at least 16x16",
    "a pipe": "is a device or a pipe, not a file",
    "a bomb": "too large to be safe",
}


def disk_full(self, path, **options):
    Path(path).write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def foreground():
    """What a process that tests stop does first: in the background, it would inherit `nohup`."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def own_group(command):
    """A program in a process group of its own, of which nothing outlives the test."""
    with subprocess.Popen(
        [*map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=foreground,
    ) as run:
        try:
            yield run
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)


def alive(group):
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def served(folder, weights_path, *options, ends_by=signal.SIGTERM):
    """The address of a page that runs, with all its files in a folder, and its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, APP, "--port", str(port), "--weights", weights_path]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *options],
            stdout=log,
            stderr=log,
            env=os.environ | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
            preexec_fn=None if os.name == "nt" else foreground,
        )
    try:
        give_up = time.monotonic() + 60
        while "The page is at" not in (log := (folder / "log").read_text()):
            assert process.poll() is None and time.monotonic() < give_up, log
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(ends_by)
        process.wait(30)
