"""A worker: a process of a Ray cluster, on this machine or another, that paints pictures or tiles.

It keeps the network, and whatever else it has loaded for one picture, for the next ones.
"""

import argparse
import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray

from stylize import __version__
from stylize.backend.files import replacing
from stylize.losses.tiled import TilePasses
from stylize.runs.checkpoint import state_path
from stylize.runs.metadata import WORDS, each
from stylize.runs.settings import PICTURE_SETTINGS
from stylize.vgg.weights import VGG19Weights

INPUTS = ("base", "style_reference", "styles", "like", *PICTURE_SETTINGS)  # may be files


class Worker:
    """A Ray actor: a process that keeps weights and their network, and its tiles.

    Args:
        environment: variables to set before Keras is imported.
    """

    def __init__(self, environment: Mapping[str, str]):
        os.environ.update(environment)
        self._folder = ""  # of copies, and of what is written; made when it is needed
        self._tiles: dict[int, tuple[TilePasses, dict]] = {}
        self._weights: VGG19Weights

    def versions(self, backend: str) -> dict[str, str]:
        """See `versions`."""
        return versions(backend)

    def stop(self) -> None:
        """Ends this process, whatever it does, and leaves no files."""
        while os.path.exists(self._folder):  # more may be written meanwhile
            shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(0)

    def keep_weights(self, weights: VGG19Weights) -> None:
        """Keeps the weights for all photos: none are loaded here, where others might be found."""
        self._weights = weights

    def run(
        self, function: Callable, args: argparse.Namespace, files: Mapping, state: bytes | None
    ) -> tuple[Any, dict[str, bytes]]:
        """Calls `function` with options that name copies of the files, and the weights.

        Args:
            function: from options and weights to an outcome, a named tuple with an `error`.
            args: the options, as the one who sends them has them.
            files: path there -> a reference to what is in the file.
            state: what is in the file of a run to resume.

        Returns:
            The outcome, and name -> content of all files that were written.
        """
        self._folder = self._folder or tempfile.mkdtemp(prefix="neural-style-transfer-")
        own = {path: self._copy(path, content) for path, content in files.items()}
        with tempfile.TemporaryDirectory(dir=self._folder) as results:
            prefix = Path(results, Path(args.result_prefix).name)
            if state is not None:
                state_path(prefix).write_bytes(state)
            options = vars(args) | {"result_prefix": str(prefix)}
            for name in INPUTS:
                options[name] = each(lambda path: own.get(path, path), options[name])
            outcome = function(argparse.Namespace(**options), self._weights)
            written = {path.name: path.read_bytes() for path in Path(results).iterdir()}
        Path(own[args.base]).unlink()  # the others serve for all photos
        error = outcome.error
        for path, copy in own.items():
            error = error.replace(copy, path)
        return outcome._replace(error=error), written

    def _copy(self, path, content):
        """The path of a copy of a file under its own name, which records have."""
        folder = Path(self._folder, hashlib.sha256(path.encode()).hexdigest()[:16])
        copy = folder / Path(path).name
        if not copy.exists():
            with replacing(copy) as temporary:
                temporary.write_bytes(ray.get(content))
        return str(copy)

    def call(self, function: Callable, *arguments: Any) -> Any:
        """What `function` returns of the weights and these arguments."""
        return function(self._weights, *arguments)

    def begin_tiles(self, number: int, given: Any) -> None:
        """Tiles of another picture begin: their network, the terms of the loss, and the tiles."""
        targets: dict = {}
        network, terms, tiles = given
        self._tiles = {number: (TilePasses(network, terms, tiles, targets), targets)}

    def keep_tile(self, number: int, index: int, targets: Any) -> None:
        """Keeps what a tile is compared with."""
        _, all_targets = self._tiles[number]
        all_targets[index] = targets

    def run_tile(self, number: int, name: str, *arguments: Any) -> Any:
        """What a method of `TilePasses` returns."""
        return getattr(self._tiles[number][0], name)(*arguments)


def versions(backend: str) -> dict[str, str]:
    """The versions that all machines must have alike. Nothing is imported for it.

    Args:
        backend: the name of a package.
    """
    brought_by = importlib.metadata.packages_distributions()
    found = {"this program": __version__}
    for package in ("keras", backend, "numpy"):
        name = next(iter(brought_by.get(package, ())), None)
        found[package] = importlib.metadata.version(name) if name else "none"
    return found


def input_files(args: argparse.Namespace) -> list[str]:
    """The paths of the files that options name."""
    paths: list[str] = []
    for name in INPUTS:
        value = getattr(args, name)
        paths += value if isinstance(value, list) else [value]
    return [path for path in paths if path not in WORDS and Path(path).is_file()]
