"""Damages files at random and reads them: each is read or refused in a line.

    python tests/fuzz.py --pictures 20000 --weights 500 --structures 500 --records 500 \\
        --states 500 --clips 500 --names 500 --page 500 --seed 1

Pictures, weight files and clips have other bytes; the structures of weight files, the records in
pictures and the states of runs say strange things in good order; `names` are those of files, and
`page` sends all kinds of values in all fields of all events to a page that it starts. It
prints the seed, and every case that ended in anything else: another error, a message of several
lines, output of a library, a reading of more than `SECONDS`, a crash of the process. With the seed,

    python tests/fuzz.py --seed 1 --pictures 1234 --only --keep bad.bin

makes picture 1234 again, writes it to a file and reads it in this process.

The cases are read in processes of their own, so that a crash is one more finding. The same seed
makes the same cases on machines with the same libraries.
"""

import argparse
import collections
import contextlib
import faulthandler
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "apps" / "page")]

import strange_files  # noqa: E402

from stylize.backend.tensors import keras  # noqa: E402
from stylize.errors import InputError, WeightsError  # noqa: E402
from stylize.images import reading  # noqa: E402
from stylize.vgg import weights  # noqa: E402

SECONDS = 10  # that reading a file of some kilobytes may take
PATIENCE = 3  # as long, where each case starts programs
MEMORY = 6 * 2**30  # bytes of address space that a process may take
CHUNK = 1000  # cases a process
SMALL_VGG19 = {  # shapes that files of 100 KiB have, in place of `weights.CONVOLUTIONS`
    name: (inputs if inputs == 3 else max(4, inputs // 64), max(4, outputs // 64))
    for name, (inputs, outputs) in weights.CONVOLUTIONS.items()
}

# ---------------------------------------------------------------------------------------------
# Files without damage
# ---------------------------------------------------------------------------------------------

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 24\n%%EndComments\nshowpage\n%%EOF\n"


def make_pictures(folder: Path) -> None:
    """Small pictures of the formats that are read, and of some that are not."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    coarse = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    rgb = Image.fromarray(coarse).resize((32, 24), Image.Resampling.BICUBIC)
    rgba = rgb.copy()
    rgba.putalpha(rgb.convert("L"))
    gray = rgb.convert("L")
    deep = Image.fromarray(np.asarray(gray, np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, '{"a": 1}'
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told = {"exif": exif.tobytes(), "icc_profile": profile}
    film = {"save_all": True}
    many = {
        "told.jpg": (rgb, told),
        "progressive.jpg": (rgb, {"progressive": True}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "two.mpo": (rgb, film),
        "told.png": (rgb, told),
        "alpha.png": (rgba, {}),
        "palette.png": (rgb.quantize(16), {"transparency": 3}),
        "deep.png": (deep, {}),
        "film.png": (rgb, film),
        "told.webp": (rgb, told),
        "lossless.webp": (rgba, {"lossless": True}),
        "film.webp": (rgb, film),
        "told.tiff": (rgb, told),
        "float.tiff": (gray.convert("F"), {}),
        "deep.tiff": (deep, {}),
        "pages.tiff": (rgb, film),
        **{f"{c}.tiff": (rgb, {"compression": c}) for c in ("tiff_lzw", "jpeg", "tiff_deflate")},
        "group4.tiff": (rgb.convert("1"), {"compression": "group4"}),
        "rgb.bmp": (rgb, {}),
        "palette.bmp": (rgb.quantize(16), {}),
        "film.gif": (rgb, film),
        "clear.gif": (rgb.quantize(16), {"transparency": 3}),
        "told.avif": (rgb, told),
        "alpha.avif": (rgba, {}),
        "told.heic": (rgb, told),
        "alpha.heic": (rgba, {}),
        **{f"refused.{name}": (rgb, {}) for name in ("ppm", "sgi", "jp2", "tga", "pcx", "ico")},
        **{f"refused.{name}": (rgba, {}) for name in ("dds", "im", "icns")},
    }
    for name, (image, options) in many.items():
        image = image.copy()  # Pillow leaves its options on what it saved
        if "save_all" in options:
            options = {**options, "append_images": [image.rotate(90), image.rotate(180)]}
        image.save(folder / name, **options)
    (folder / "refused.eps").write_bytes(EPS)


def make_weights(folder: Path) -> None:
    """Weight files of a small VGG19 in every layout."""
    from conftest import random_weights
    from weight_files import FORMATS

    small = random_weights(SMALL_VGG19)
    for name, write in FORMATS.items():
        write(small, folder / name)
    for path in folder.glob("*.mat"):  # SciPy writes the time into the header
        path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(116) + path.read_bytes()[116:])


# ---------------------------------------------------------------------------------------------
# Damage
# ---------------------------------------------------------------------------------------------


def _place(data, rng):
    """A place in `data`, every other time in its head, where the sizes are told."""
    return rng.randrange(min(len(data), 256) if rng.random() < 0.5 else len(data))


def _flip(data, other, rng):
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data, other, rng):
    place, length = _place(data, rng), rng.choice((1, 2, 4, 8))
    value = rng.choice((b"\xff", b"\x7f", b"\x80", b"\0", rng.randbytes(1)))
    data[place : place + length] = value * length


def _truncate(data, other, rng):
    del data[_place(data, rng) :]


def _insert(data, other, rng):
    place = _place(data, rng)
    data[place:place] = rng.randbytes(rng.choice((1, 4, 100)))


def _cut_out(data, other, rng):
    place = _place(data, rng)
    del data[place : place + rng.choice((1, 4, 100))]


def _zero(data, other, rng):
    place, length = _place(data, rng), rng.choice((4, 16, 256))
    data[place : place + length] = bytes(length)


def _splice(data, other, rng):
    place = _place(data, rng)
    data[place:] = other[min(place, len(other)) :]


DAMAGES = (_flip, _flip, _overwrite, _overwrite, _truncate, _insert, _cut_out, _zero, _splice)


def _other_bytes(files, rng):
    """One of the files, damaged in one to three ways."""
    path, other = rng.choice(files), rng.choice(files)
    data = bytearray(path.read_bytes())
    for damage in rng.choices(DAMAGES, k=rng.choice((1, 1, 2, 3))):
        if data:
            damage(data, other.read_bytes(), rng)
    return f"case{path.suffix}", bytes(data)


def _other_record(files, rng):
    """A picture with one of the records in the files, or nearly."""
    records = [path for path in files if path.suffix == ".json"]
    return strange_files.strange_record(rng.choice(records).read_bytes(), rng)


def _other_state(files, rng):
    """One of the states, every third time with other bytes, else with other arrays and words."""
    path = rng.choice(files)
    if rng.random() < 0.3:
        return path.name, _other_bytes([path], rng)[1]
    return path.name, strange_files.strange_state(path.read_bytes(), rng)


def _other_structure(files, rng):
    """One of the weight files with other groups, arrays and cells."""
    path = rng.choice(files)
    return path.name, strange_files.strange_weights(path.name, path.read_bytes(), rng)


def _other_name(files, rng):
    """The file under another name."""
    return strange_files.strange_name(rng), files[0].read_bytes()


def damaged(kind: str, folder: Path, seed: int, case: int) -> tuple[str, bytes]:
    """(name, bytes) of the case.

    Args:
        folder: of the files without damage.
    """
    files = sorted(folder.iterdir())
    if kind == "clips":  # few are tried, since each takes long: every container in its turn
        files = [files[case % len(files)]]
    return KINDS[kind].damage(files, random.Random(f"{seed} {case}"))


# ---------------------------------------------------------------------------------------------
# Reading, in a process of its own
# ---------------------------------------------------------------------------------------------


def _read_picture(path, folder):
    """Reads a picture in both ways; the first to fail must not hide the second."""
    with contextlib.suppress(InputError):
        reading.read_description(path)
    reading.load_image(path)


def _read_weights(path, folder):
    weights.read_weights(path)


class Kind(NamedTuple):
    """What is damaged.

    Attributes:
        make: writes files without damage into a folder.
        damage: of these files and a `random.Random`: a name and bytes.
        read: reads the file at a path; it is given the folder, too.
        refusal: what that may raise.
        seconds: that it may take.
        begin: does what takes a while, once, before the first is read.
    """

    make: Callable
    damage: Callable
    read: Callable
    refusal: type[Exception] | tuple[type[Exception], ...] = InputError
    seconds: int = SECONDS
    begin: Callable = bool


KINDS = {
    "pictures": Kind(make_pictures, _other_bytes, _read_picture),
    "weights": Kind(make_weights, _other_bytes, _read_weights, WeightsError),
    "structures": Kind(make_weights, _other_structure, _read_weights, WeightsError),
    "records": Kind(
        strange_files.make_records,
        _other_record,
        strange_files.read_record,
        begin=lambda: keras.backend.backend(),
    ),
    "states": Kind(strange_files.make_states, _other_state, strange_files.read_state),
    "clips": Kind(
        strange_files.make_clips,
        _other_bytes,
        strange_files.read_clip,
        (InputError, OSError),
        PATIENCE * SECONDS,
    ),
    "names": Kind(strange_files.make_name, _other_name, strange_files.read_named),
}


def outcome(kind: str, path: Path, folder: Path) -> str:
    """ "read", "refused", or what is wrong with how the file was read."""
    try:
        KINDS[kind].read(path, folder)
    except KINDS[kind].refusal as error:
        several = len(str(error).splitlines()) != 1 or len(str(error)) > 1000
        return f"message {str(error)!r}" if several else "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "read"


def child(kind: str, folder: Path, seed: int, first: int, last: int) -> None:
    """Reads the cases and prints each's number before it, and after it, as JSON, its outcome."""
    weights.CONVOLUTIONS = SMALL_VGG19
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    folder /= kind
    report = os.fdopen(os.dup(1), "w", buffering=1)
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory() as cases:
        for stream in (1, 2):
            os.dup2(said.fileno(), stream)
        KINDS[kind].begin()
        for case in range(first, last):
            report.write(f"{case}\n")
            name, data = damaged(kind, folder, seed, case)
            path = Path(cases) / name
            path.write_bytes(data)
            faulthandler.dump_traceback_later(KINDS[kind].seconds, exit=True, file=report)
            result = outcome(kind, path, folder)
            path.unlink()
            faulthandler.cancel_dump_traceback_later()
            sys.stdout.flush()
            sys.stderr.flush()
            if os.fstat(said.fileno()).st_size:
                os.lseek(said.fileno(), 0, os.SEEK_SET)
                result = f"output {os.read(said.fileno(), 300)!r}"
                os.ftruncate(said.fileno(), 0)
                os.lseek(said.fileno(), 0, os.SEEK_SET)
            report.write(json.dumps(result) + "\n")
        status = Path("/proc/self/status").read_text()  # getrusage counts the parent's memory too
        report.write(f"peak {int(status.split('VmHWM:')[1].split()[0]) // 1024}\n")


def fuzz(kind: str, count: int, seed: int, folder: Path) -> collections.Counter:
    """Reads `count` cases and returns how many had which outcome.

    Findings begin with the number of their case. "MiB" is the peak memory of a process.

    Args:
        kind: one of `KINDS`.
        folder: for the files without damage.
    """
    (folder / kind).mkdir()
    KINDS[kind].make(folder / kind)
    outcomes: collections.Counter = collections.Counter()
    first = 0
    while first < count:
        last = min(first + CHUNK, count)
        command = [sys.executable, __file__, "--child", kind, folder, seed, first, last]
        process = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        lines = process.stdout.splitlines()
        for line in lines:
            if line.isdecimal():
                first = int(line)
            elif line.startswith("peak "):
                outcomes["MiB"] = max(outcomes["MiB"], int(line.split()[1]))
            elif line.startswith('"'):
                result = json.loads(line)
                ordinary = result in ("read", "refused")
                outcomes[result if ordinary else f"case {first}: {result}"] += 1
        if process.returncode:
            tail = " | ".join([*lines[-12:], *process.stderr.splitlines()[:20]])
            outcomes[f"case {first}: ended with status {process.returncode}: {tail}"] += 1
        first += 1
    return outcomes


def findings(outcomes: collections.Counter) -> list[str]:
    """What neither was read nor refused in a line, each with the number of its case."""
    return [outcome for outcome in outcomes if outcome.startswith("case ")]


# ---------------------------------------------------------------------------------------------
# The command line
# ---------------------------------------------------------------------------------------------


def main() -> int:
    """Prints what was found; returns 1 if anything was."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for kind in (*KINDS, "page"):
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N", help="how many to read")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the damage")
    parser.add_argument("--only", action="store_true", help="case N alone, in this process")
    parser.add_argument("--keep", default="case.bin", metavar="PATH", help="where --only keeps it")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kind, folder, *numbers = args.child
        child(kind, Path(folder), *map(int, numbers))
        return 0
    print(f"seed {args.seed}", flush=True)
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.page:
            outcomes = page(args.page, args.seed, folder)
            found += report("page", args.page, outcomes)
        for kind in KINDS:
            if not (count := getattr(args, kind)):
                continue
            if args.only:
                found += one(kind, count, args.seed, folder, Path(args.keep))
                continue
            outcomes = fuzz(kind, count, args.seed, folder)
            found += report(kind, count, outcomes)
    for line in found:
        print(line)
    return 1 if found else 0


def report(kind: str, count: int, outcomes: collections.Counter) -> list[str]:
    """Prints how many cases had which outcome, and returns the findings."""
    found = findings(outcomes)
    print(
        f"{count} {kind}: {outcomes['read']} read, {outcomes['refused']} refused, "
        f"{len(found)} findings; at most {outcomes['MiB']} MiB",
        flush=True,
    )
    return found


def page(count: int, seed: int, folder: Path) -> collections.Counter:
    """Starts a page, and sends it as many requests."""
    import psutil
    from conftest import random_weights, served
    from fuzz_page import fuzz_page

    weights.write_h5(random_weights(weights.CONVOLUTIONS), folder / "weights.h5")
    Image.new("RGB", (48, 40), "red").save(folder / "photo.png")
    limits = ("--max_size", "64", "--max_seconds", "5", "--max_pixels", "10000")
    with served(folder, folder / "weights.h5", *limits) as address:
        outcomes = fuzz_page(address, folder / "photo.png", count, seed)
        (server,) = psutil.Process().children()
        outcomes["MiB"] = server.memory_info().rss // 2**20
    _, *tracebacks = (folder / "log").read_text().split("Traceback")
    for traceback in tracebacks:
        outcomes[f"case in the page's log: {traceback[-1500:]}"] += 1
    return outcomes


def one(kind: str, case: int, seed: int, folder: Path, keep: Path) -> list[str]:
    """Makes a case again, keeps it, reads it here and returns the outcome."""
    folder /= kind
    folder.mkdir()
    KINDS[kind].make(folder)
    name, data = damaged(kind, folder, seed, case)
    keep = (
        keep.with_name(name) if kind in ("states", "names") else keep.with_suffix(Path(name).suffix)
    )
    keep.write_bytes(data)
    weights.CONVOLUTIONS = SMALL_VGG19
    return [f"{keep}: {outcome(kind, keep, folder)}"]


if __name__ == "__main__":
    sys.exit(main())
