"""The state of a run that did not finish, in a file beside its results."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stylize.backend import keras
from stylize.errors import InputError
from stylize.pictures import replacing
from stylize.progress import Checkpoint, Losses, Step
from stylize.records import LossTable

FORMAT = 1  # of the file; it goes up when an older one can no longer be read
SECONDS_BETWEEN = 120  # an iteration that takes longer is kept on the way, too


class StateFile:
    """Keeps the checkpoints of a run in a file: after every iteration, and every few minutes.

    The file is a NumPy archive, written whole or not at all and synced to the disk, so that it
    holds a checkpoint whatever happens in between. It goes when the run has ended.

    Args:
        path: of the file, such as `results/photo_state.npz`.
        record: how the run's pictures are made, as `records.make_record` has it. `load` puts the
            earlier run's tiles into it.
        table: of losses; it is kept too.
    """

    def __init__(self, path: str | os.PathLike, record: dict[str, Any], table: LossTable):
        self.path = Path(path)
        self.written = False  # or loaded: whether the file holds a checkpoint of this run
        self.record, self._table = record, table
        self._new: Checkpoint | None = None  # the last one, while it is not in the file
        self._place, self._time = (0, 0), time.monotonic()  # stage and iteration; of the last write

    def load(self) -> Checkpoint:
        """The checkpoint in the file; its losses are put into the table.

        Raises:
            InputError: the file is damaged, of another version, or of another run.
        """
        anew = "run without --resume to start anew"
        try:
            with self.path.open("rb") as file, np.load(file) as archive:
                arrays = {name: archive[name] for name in archive.files}
            about = json.loads(str(arrays.pop("about")))
            if about["format"] != FORMAT:
                raise InputError(f"{self.path}: was written by another version; {anew}")
            start, step, table = arrays.pop("start"), about["step"], about["table"]
            step["losses"] = step["losses"] and Losses(**step["losses"])
            step = Step(**step, state=arrays or None)
            checkpoint = Checkpoint(start=start, step=step, **about["checkpoint"])
            tiles = about["record"].pop("tiles", None)
            now = {name: value for name, value in self.record.items() if name != "tiles"}
            changed = changes(about["record"], json.loads(json.dumps(now)))
        except InputError:
            raise
        except Exception as error:  # of many kinds, as zipfile and NumPy have them
            if isinstance(error, MemoryError):
                raise
            raise InputError(f"{self.path}: is damaged or no state of a run; {anew}") from None
        if changed:
            raise InputError(f"{self.path}: is of another run: {'; '.join(changed)}; {anew}")
        self.record["tiles"] = tiles  # those that fit in what is free now would round otherwise
        self._table.rows = [tuple(row) for row in table]
        self._place, self.written = (checkpoint.stage, step.iterations), True
        return checkpoint

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
                "losses": step.losses and step.losses._asdict(),
            },
        }
        arrays = {
            name: keras.ops.convert_to_numpy(array) for name, array in (step.state or {}).items()
        }
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), start=checkpoint.start, **arrays)

    def remove(self) -> None:
        """Removes the file, if it is of this run. Raises OSError."""
        if self.written:
            self.path.unlink(missing_ok=True)


ONE_PICTURE = ("versions", "tiles", "iteration", "losses")  # of records: not what was asked for


def made_alike(found: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a picture with the record `found` was made as `record` says, whatever libraries."""
    found, now = (
        {name: value for name, value in made.items() if name not in ONE_PICTURE}
        for made in (found, json.loads(json.dumps(record)))
    )
    return not changes(found, now)


def changes(before: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two records: "strength: 0.5, now 0.6", one line for each value."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            line
            for key in sorted(before.keys() | now.keys())
            for line in changes(before.get(key), now.get(key), f"{name} {key}".strip())
        ]
    return [] if before == now else [f"{name}: {before}, now {now}"]
