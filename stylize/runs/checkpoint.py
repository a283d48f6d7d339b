"""The state of a run that did not finish, in a file beside its results."""

import contextlib
import dataclasses
import errno
import functools
import json
import math
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylize.backend.files import replacing
from stylize.backend.scratch import empty_in_memory, release
from stylize.backend.tensors import to_numpy
from stylize.errors import InputError, listed
from stylize.losses.term import Term
from stylize.optimize.lbfgs import UnitStepLBFGS
from stylize.optimize.state import Losses, Step
from stylize.runs import untrusted
from stylize.runs.loss_table import LossTable
from stylize.runs.metadata import TILE, changes, without_names
from stylize.runs.progress import Checkpoint, Stage

FORMAT = 4  # of the file; it goes up when an older one can no longer be read
SIGN = '{"format": '.encode("utf-32-le")  # what comes first in it, as NumPy has text
LONGEST_HEAD = 1000  # bytes in which the sign is
ANEW = "run without --resume to start anew"
whole = functools.partial(untrusted.number, whole=True)
LOSSES = untrusted.fields(
    {"total": untrusted.number(), "terms": untrusted.mapping(untrusted.number())}
)
ABOUT = untrusted.fields(  # what a file says beside its arrays
    {
        "record": untrusted.fields({"tiles": untrusted.items(TILE)}),
        "table": untrusted.items(untrusted.mapping(untrusted.number()), most=10**8),
        "checkpoint": untrusted.fields(
            {
                "stage": whole(0),
                "evaluations": whole(0, 10**9),
                "seconds": untrusted.number(0, 1e10),
            }
        ),
        "step": untrusted.fields(
            {
                "iterations": whole(0),
                "evaluations": whole(0),
                "before": untrusted.number(),
                "losses": untrusted.any_of(untrusted.nothing, LOSSES),
            }
        ),
    }
)
LBFGS = ("loss", "pairs", "first_step", "x", "gradient", "low", "high", "products")
ADAM = ("x", "gradient", "best", "adam_0", "adam_1", "adam_2", "adam_3")
ARRAYS = {"scipy": ("x",), "adam": ADAM, "lbfgs": LBFGS, "torch": LBFGS}  # but for pairs
NUMBERS = ("loss", "pairs", "first_step", "adam_0", "adam_1")
MOST_PAIRS = UnitStepLBFGS.default_pairs
PIECE = 2**24  # bytes that are read at once
SECONDS_BETWEEN = 120  # an iteration that takes longer is kept on the way, too


class Damaged(InputError):
    """A state is damaged, or none."""


class OtherRun(InputError):
    """A state is sound, but of another run, or of another version of this program."""


def state_path(prefix: str | os.PathLike) -> Path:
    """Where a run with results of this prefix is kept, see `StateFile`."""
    return Path(f"{os.fspath(prefix)}_state.npz")


class StateFile:
    """Keeps the checkpoints of a run in a file: after every iteration, and every few minutes.

    The file is a NumPy archive, written whole or not at all and synced to the disk, so that it
    holds a checkpoint whatever happens in between. It goes when the run has ended.

    Args:
        path: of the file, such as `results/photo_state.npz`.
        record: how the run's pictures are made, as `metadata.make_record` has it.
        stages: the run's; what is read must fit them.
        table: of losses; it is kept too.
        empty: makes the arrays that are read, float32 of a shape.

    Attributes:
        path: as given.
        record: as given; after `load`, with the earlier run's tiles.
        written: whether the file holds a checkpoint of this run.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        record: dict[str, Any],
        stages: Sequence[Stage],
        table: LossTable | None = None,
        empty: Callable[[tuple[int, ...]], np.ndarray] = empty_in_memory,
    ):
        self.path, self._stages, self._empty = Path(path), stages, empty
        self.written = False
        self.record, self._table = dict(record), table or LossTable()
        self._new: Checkpoint | None = None  # the last one, while it is not in the file
        self._place, self._time = (0, 0), time.monotonic()  # stage and iteration; of the last write

    def check(self) -> None:
        """Raises InputError as `load` does, but does not read the arrays."""
        self.differences()

    def differences(self) -> list[str]:
        """Returns what the earlier run rounds by that this one does not, in words.

        Raises InputError as `load` does, but does not read the arrays.
        """
        with self._opened() as archive:
            about = self._read_about(archive)
        lines = []
        if about["tiles"] != self.record.get("tiles"):
            lines.append("it was begun in other tiles")
        if about["machine"] != json.loads(json.dumps(self.record.get("machine"))):
            lines.append("it was begun on another processor, or with other threads")
        return lines

    def load(self) -> Checkpoint:
        """The checkpoint in the file; its losses are put into the table.

        Raises:
            InputError: the file is damaged, of another version, or of another run.
        """
        with self._opened() as archive:
            about = self._read_about(archive)
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            arrays = {name: _read(archive, name, self._empty) for name in names if name != "about"}
            _check_counts(arrays, about["checkpoint"]["evaluations"])
            start = arrays.pop("start")
            step = Step(**about["step"], state=arrays or None)
            checkpoint = Checkpoint(start=start, step=step, **about["checkpoint"])
        self.record["tiles"] = about["tiles"]  # other tiles would round otherwise
        self._table.rows = about["table"]
        self._place, self.written = (checkpoint.stage, step.iterations), True
        return checkpoint

    @contextlib.contextmanager
    def _opened(self):
        """The archive. Whatever is wrong with it is an InputError."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (OtherRun, MemoryError):
            raise
        except Exception as error:  # of many kinds, as zipfile and NumPy have them
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # nothing is wrong with what is in it
            raise Damaged(f"{self.path}: is damaged or no state of a run; {ANEW}") from None

    def _read_about(self, archive):
        """What an archive says of its run and its checkpoint, when all but arrays is checked.

        Raises OtherRun, or whatever a damaged file makes it trip over.
        """
        headers = _read_headers(archive, self.path.stat().st_size)
        about = untrusted.parse(str(_read(archive, "about")))
        if about["format"] != FORMAT:
            raise OtherRun(f"{self.path}: was written by another version; {ANEW}")
        ABOUT(about)
        about["tiles"] = about["record"].pop("tiles")
        # A run may resume on another machine, but for the last bits.
        about["machine"] = about["record"].pop("machine", None)
        now = {n: value for n, value in self.record.items() if n not in ("tiles", "machine")}
        before, now = map(without_names, (about["record"], json.loads(json.dumps(now))))
        if changed := changes(before, now):
            told = listed(changed, "; ")
            raise OtherRun(f"{self.path}: is of another run: {told}; {ANEW}")
        self._check_place(about)
        stage = self._stages[about["checkpoint"]["stage"]]
        _check_arrays(headers, stage, self.record["settings"]["optimizer"])
        losses = about["step"]["losses"]
        about["step"]["losses"] = losses and Losses(**losses)
        return about

    def _check_place(self, about):
        """Raises ValueError where a checkpoint lies outside of the run."""
        checkpoint, step, rows = about["checkpoint"], about["step"], about["table"]
        stage = self._stages[checkpoint["stage"]]
        columns = {"iteration", "evaluation", "seconds", *Term.columns.values(), "total", "size"}
        if (
            len(about["tiles"]) != len(self._stages)
            or step["iterations"] >= stage.iterations
            or step["evaluations"] > checkpoint["evaluations"]
            or len(rows) > checkpoint["evaluations"]
            or not all(row.keys() <= columns for row in rows)
        ):
            raise ValueError("outside of the run")

    def keep(self, checkpoint: Checkpoint) -> None:
        """Notes a checkpoint, and writes it where it is due. Raises OSError."""
        self._new = checkpoint
        place = checkpoint.stage, checkpoint.step.iterations
        if place != self._place or time.monotonic() - self._time > SECONDS_BETWEEN:
            self._place, self._time = place, time.monotonic()
            self.write()

    def write(self) -> None:
        """Writes the last checkpoint, if it is not in the file yet. Raises OSError."""
        if self._new is not None:
            self._write(self._new)
            self._new, self.written = None, True  # the optimiser's arrays may go

    def _write(self, checkpoint):
        step = checkpoint.step
        about = {
            "format": FORMAT,
            "record": self.record,
            "table": self._table.rows[: checkpoint.evaluations],
            "checkpoint": {
                "stage": checkpoint.stage,
                "evaluations": checkpoint.evaluations,
                "seconds": checkpoint.seconds,
            },
            "step": {
                "iterations": step.iterations,
                "evaluations": step.evaluations,
                "before": step.before,
                "losses": step.losses and dataclasses.asdict(step.losses),
            },
        }
        arrays = {"about": json.dumps(about), "start": checkpoint.start, **(step.state or {})}
        with replacing(self.path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name, array in arrays.items():  # as np.savez, but with one in memory at a time
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    array = to_numpy(array) if hasattr(array, "shape") else np.array(array)
                    np.lib.format.write_array(file, array)
                    release(array)

    def remove(self) -> None:
        """Removes the file, if it is of this run. Raises OSError."""
        if self.written:
            self.path.unlink(missing_ok=True)


def check_state(path: Path) -> None:
    """Raises InputError where the file at `path` is no state, not even a damaged one, nor empty.

    Raises OSError: it cannot be read.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(LONGEST_HEAD)
    if head and not (head.startswith(b"PK") and SIGN in head):
        raise InputError(
            f"{path}: was not written by this program, which needs the name; rename or remove it, "
            "or choose another result prefix"
        )


def _read_headers(archive, size):
    """Array name -> (shape, dtype). Raises ValueError where these are more than the file holds.

    Args:
        archive: as `_write` writes it: nothing is compressed, so that nothing grows.
        size: bytes of the file.
    """
    entries = archive.infolist()
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    most = len({*LBFGS, "about", "start"}) + 2 * MOST_PAIRS
    if packed or len(entries) > most or sum(entry.file_size for entry in entries) > size:
        raise ValueError("not as it was written")
    headers = {}
    for entry in entries:
        with archive.open(entry) as file:
            shape, dtype = _read_header(file)
            if math.prod(shape) * dtype.itemsize != entry.file_size - file.tell():
                raise ValueError("of another size")
        headers[entry.filename.removesuffix(".npy")] = shape, dtype
    return headers


def _read_header(file):
    """(shape, dtype) of the array that begins in an open file."""
    try:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    except MemoryError:  # Python's parser has no other word for what is nested too deep
        raise ValueError("nested too deep") from None
    return shape, dtype


def _check_arrays(headers, stage, optimizer):
    """Raises ValueError unless arrays are those of an optimiser at a stage, by name and shape."""
    picture = stage.rows, stage.cols, 3
    if headers.pop("start") != (picture, np.float32):
        raise ValueError("another start")
    headers.pop("about")
    if not headers:  # it had not begun
        return
    names, (count, _) = {*ARRAYS[optimizer]}, headers.get("products", ((2, 0, 0), 0))[0][1:]
    if count > MOST_PAIRS:  # an array of no bytes may have any number
        raise ValueError("too many pairs")
    names |= {f"{kind}_{index}" for kind in ("step", "change") for index in range(count)}
    if headers.keys() != names:
        raise ValueError("other arrays")
    vector = (math.prod(picture),), np.float64  # SciPy's
    combination = vector if optimizer == "scipy" else ((1, *picture), np.float32)
    for name, (shape, dtype) in headers.items():
        if name in NUMBERS:
            fits = shape == () and dtype.kind in "if"
        elif name == "products":
            fits = shape == (2, count, count) and dtype == np.float64
        elif name in ("low", "high"):
            fits = shape in ((), picture[1:], (1, *picture)) and dtype.kind == "f"
        else:
            fits = (shape, dtype) == combination
        if not fits:
            raise ValueError(f"another {name}")


def _check_counts(arrays, evaluations):
    """Raises ValueError where an optimiser has more or fewer steps than there can be."""
    pairs = int(arrays.get("pairs", MOST_PAIRS))
    if not max(1, arrays.get("products", np.empty((2, 0))).shape[1]) <= pairs <= MOST_PAIRS:
        raise ValueError("another number of pairs")
    if not 0 <= arrays.get("adam_0", 0) <= evaluations:
        raise ValueError("another number of steps")


def _read(archive, name, empty=np.empty):
    """An array of an archive as NumPy writes them, read piece by piece."""
    with archive.open(f"{name}.npy") as file:
        shape, dtype = _read_header(file)
        array = empty(shape) if dtype == np.float32 else np.empty(shape, dtype)
        values = array.reshape(-1).view(np.uint8)
        for first in range(0, len(values), PIECE):
            piece = values[first : first + PIECE]
            if file.readinto(piece) != len(piece):
                raise ValueError("too short")
            release(array)
    return array
