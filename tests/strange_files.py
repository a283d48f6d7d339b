"""Files for `tests/fuzz.py` whose bytes are in order, and that say or hold what nobody expects.

A *maker* writes files without damage into a folder; a function of such a file's bytes and a
`random.Random` returns others; a *reader* reads them as the program does.
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import random
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from stylize.apps import answers, photo
from stylize.apps.console import check_writable, make_printable, say
from stylize.apps.folder import pictures
from stylize.apps.options import parse
from stylize.backend.files import remove_leftovers
from stylize.errors import InputError
from stylize.images import clips, reading
from stylize.images.writing import save_image
from stylize.optimize.lbfgs import ProjectedLBFGS
from stylize.optimize.state import Losses, Step
from stylize.runs import metadata
from stylize.runs.checkpoint import StateFile
from stylize.runs.progress import Checkpoint, Stage

# ---------------------------------------------------------------------------------------------
# Values
# ---------------------------------------------------------------------------------------------

NUMBERS = (0, -1, 1, 2, 16, 99, 2**31, 2**63, -(10**9), 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320)
NONSENSE = (
    *(None, True, False, "", "x", "none", "-1", "1e999999999", "auto", "../../etc/passwd"),
    *("\x1b[2J\x07\r\n", "\0", "é\udcff", "‮", "x" * 5000, "9" * 5000, "%s{}{0}", "/dev/zero"),
    *([], {}, [[]], [None], {"": None}, {"path": "/etc/passwd"}, [1, "x"], [0] * 2000),
    *(float("nan"), float("inf"), float("-inf"), *NUMBERS),
)


def nonsense(rng: random.Random) -> Any:
    """Any value that JSON, as Python writes it, can say."""
    value = rng.choice(NONSENSE)
    if rng.random() < 0.05:
        for _ in range(rng.choice((5, 50, 400))):
            value = [value] if rng.random() < 0.5 else {"x": value}
    return value


def mutated(value: Any, rng: random.Random) -> Any:
    """A value of JSON with something else somewhere in it."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(sorted(value))
        other = {name: each for name, each in value.items() if name != key}
        match rng.randrange(8):
            case 0:
                return other
            case 1:
                return other | {str(nonsense(rng)): value[key]}
            case _:
                return value | {key: mutated(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        middle = rng.choice(([], [value[place]] * 3, [mutated(value[place], rng)]))
        return [*value[:place], *middle, *value[place + 1 :]]
    if isinstance(value, int | float) and rng.random() < 0.5:
        return rng.choice((value + 1, -value, value * 1000, str(value), rng.choice(NUMBERS)))
    return nonsense(rng)


def several(value: Any, rng: random.Random) -> Any:
    """`mutated` once to three times."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        value = mutated(value, rng)
    return value


# ---------------------------------------------------------------------------------------------
# Records
# ---------------------------------------------------------------------------------------------


def make_records(folder: Path) -> None:
    """A picture, and the record of one that every recipe makes."""
    from conftest import small_weights, smooth_picture

    Image.fromarray(smooth_picture(40, 48, 1)).save(folder / "photo.png")
    for recipe in ("neighbors", "keras", "johnson", "athalye"):
        options = [folder / "photo.png", folder / "photo.png", "x", "--recipe", recipe]
        args = parse(list(map(str, options)))
        record = photo.make_record(args, photo.plan(args)[0], small_weights())
        (folder / f"{recipe}.json").write_text(metadata.to_text(record, iteration=1))


def strange_record(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """A picture that says it was made otherwise."""
    if data[:1] != b"{":
        data = b"{}"
    text = json.dumps(several(json.loads(data), rng))
    if rng.random() < 0.1:
        text = text[: rng.randrange(len(text))] + rng.choice(("", "[" * 10**5, '"', "\x1b", "}"))
    image, file = Image.new("RGB", (32, 24)), io.BytesIO()
    if rng.random() < 0.2:
        exif = Image.Exif()
        exif[0x010E] = text.encode("ascii", "replace").decode()[:60000]
        image.save(file, "JPEG", exif=exif)
        return "record.jpg", file.getvalue()
    told = PngImagePlugin.PngInfo()
    told.add_itxt("Description", text.encode("utf-8", "replace").decode())
    image.save(file, "PNG", pnginfo=told)
    return "record.png", file.getvalue()


def read_record(path: Path, folder: Path) -> None:
    """Says how a picture was made, as --show does; plans one like it, as --like does."""
    told = answers.told_of(metadata.read_record(path), str(path))
    assert all(line.isprintable() for line in told.split("\n"))
    own = str(folder / "photo.png")
    args = parse([own, own, str(path.with_name("out")), "--like", str(path)])
    job, earlier = photo.plan(args)
    now = metadata.to_text({**earlier, "machine": {}})
    metadata.differences(earlier, {"tiles": [None], "program": "x", "versions": {}, "machine": {}})
    assert job.stages and now


# ---------------------------------------------------------------------------------------------
# States
# ---------------------------------------------------------------------------------------------

STAGES = [Stage(2, 2, 5, 20, "float32")] * 2


def _state_file(path, optimizer):
    record = {"settings": {"size": 2, "optimizer": optimizer}, "tiles": [None, None]}
    return StateFile(path, record, STAGES)


def make_states(folder: Path) -> None:
    """What each optimiser leaves."""
    losses = Losses(6.0, {"content": 1.0, "style": 2.0, "total_variation": 3.0})
    picture, x = np.zeros((2, 2, 3), np.float32), np.zeros((1, 2, 2, 3), np.float32)
    search = ProjectedLBFGS(x + 1)
    search.start(_bowl)
    for _ in range(3):
        search.step(_bowl, 5)
    lbfgs = search.state()
    numbers = {"adam_0": np.int64(3), "adam_1": np.float32(0.1)}
    adam = dict.fromkeys(("x", "gradient", "best", "adam_2", "adam_3"), x) | numbers
    for optimizer, state in {
        "lbfgs": lbfgs,
        "torch": lbfgs,
        "adam": adam,
        "scipy": {"x": np.zeros(12)},
    }.items():
        kept = _state_file(folder / f"{optimizer}.npz", optimizer)
        kept.keep(Checkpoint(0, picture, 30, 1.5, Step(1, 20, 7.5, losses, state)))
        kept.write()


def _bowl(x):
    """Loss and gradient of a bowl that is steeper to some sides than to others."""
    steep = np.arange(1, 13, dtype=np.float32).reshape(x.shape)
    return float((steep * x * x).sum()), 2 * steep * x


SHAPES = ((), (0,), (1,), (2, 2, 3), (1, 2, 2, 3), (12,), (2, 0, 0), (2, 3, 3), (10**12,), (-1,))
DTYPES = ("<f4", "<f8", "<f2", "<i8", "<u1", "|b1", "<c16", "|O", "<U9", "|V8", "<M8[s]", "x")


def _array(rng):
    """An array as NumPy writes it, or nearly."""
    shape, dtype = rng.choice(SHAPES), rng.choice(DTYPES)
    said = repr({"descr": dtype, "fortran_order": rng.random() < 0.1, "shape": shape})
    if rng.random() < 0.1:
        said = rng.choice(("(" * 1000, "{}", "[]", "\0", "__import__('os').abort()", "9" * 9000))
    header = said.encode().ljust(118) + b"\n"
    magic = b"\x93NUMPY" + bytes([rng.choice((1, 1, 1, 2, 3, 9)), 0])
    return magic + struct.pack("<H", len(header)) + header + bytes(rng.choice((0, 4, 48, 96, 8192)))


def strange_state(data: bytes, rng: random.Random) -> bytes:
    """An archive of arrays with others among them, or other words."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(str(np.load(io.BytesIO(parts["about.npy"]))))
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(sorted(parts))
        match rng.randrange(6):
            case 0:
                del parts[name]
            case 1:
                parts[
                    rng.choice((name, "step_0.npy", "change_0.npy", "../x.npy", "", "x" * 999))
                ] = _array(rng)
            case 2:
                numbers = np.full(rng.choice(SHAPES[:8]), rng.choice((0.0, np.nan, -1e30, 1e300)))
                with np.errstate(all="ignore"):
                    parts[name] = _saved(numbers.astype(rng.choice(("<f4", "<f8", "<i8"))))
            case _:
                about = several(about, rng)
                text = json.dumps(about) if rng.random() < 0.95 else "[" * rng.choice((9, 10**5))
                parts["about.npy"] = _saved(np.array(text))
        if not parts:
            break
    return _zipped(parts, rng)


def _saved(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _zipped(parts, rng):
    """Now and then packed, or one entry twice."""
    file, packed = io.BytesIO(), zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
    entries = list(parts.items())
    if entries and rng.random() < 0.05:
        entries.append((entries[0][0] + "x", entries[0][1]))
    with zipfile.ZipFile(file, "w", packed) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name or "x"), content, packed)
    return file.getvalue()


def read_state(path: Path, folder: Path) -> None:
    """Goes on from a state, as far as its arrays are of use."""
    optimizer = path.stem
    checkpoint = _state_file(path, optimizer).load()
    if checkpoint.step.state and optimizer in ("lbfgs", "torch"):
        ProjectedLBFGS.from_state(checkpoint.step.state)


# ---------------------------------------------------------------------------------------------
# Structures of weight files
# ---------------------------------------------------------------------------------------------


def strange_hdf5(data: bytes, rng: random.Random) -> bytes:
    """A file of groups and numbers with others among them."""
    import h5py

    file = io.BytesIO(data)
    with h5py.File(file, "r+") as tree:
        for _ in range(rng.choice((1, 1, 2, 4))):
            names: list[str] = []
            tree.visit(names.append)
            if not names:
                break
            name = rng.choice(names)
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RuntimeError):
                rng.choice(HDF5)(tree, name, rng)
    return file.getvalue()


def _replaced(make):
    """Of a tree and a name in it: something else under the same name."""

    def replace(tree, name, rng):
        del tree[name]
        make(tree, name, rng)

    return replace


def _numbers(tree, name, rng):
    shape = rng.choice(((), (0,), (1,), (3, 3, 3, 4), (3, 3, 4, 4), (4,), (3,) * 8))
    tree.create_dataset(name, shape, rng.choice(("f2", "f4", "f8", ">f8", "i4", "u1", "c8", "S5")))


def _vast(tree, name, rng):
    shape = rng.choice(((10**6, 10**6), (3, 3, 10**5, 10**5), (2**62,)))
    tree.create_dataset(name, shape, "f4", chunks=(1,) * len(shape))


def _words(tree, name, rng):
    import h5py

    kinds = (h5py.string_dtype(), h5py.ref_dtype, h5py.vlen_dtype("f4"), [("a", "f4"), ("b", "S3")])
    tree.create_dataset(name, (3,), rng.choice((*kinds, h5py.enum_dtype({"x": 1}), "?")))


def _nothing(tree, name, rng):
    import h5py

    tree[name] = h5py.Empty("f4")


def _kind(tree, name, rng):
    tree[name] = np.dtype("f4")


def _link(tree, name, rng):
    import h5py

    inner = rng.choice(("/", "/" + name, "/x", "."))
    outer = h5py.ExternalLink(rng.choice(("/etc/passwd", "x.h5", "/dev/zero")), inner)
    tree[name] = rng.choice((h5py.SoftLink(inner), outer, tree["/"]))


def _virtual(tree, name, rng):
    import h5py

    layout = h5py.VirtualLayout((3, 3, 3, 4), "f4")
    layout[:] = h5py.VirtualSource(rng.choice((".", "/etc/passwd")), "x", (3, 3, 3, 4))
    tree.create_virtual_dataset(name, layout)


def _outside(tree, name, rng):
    tree.create_dataset(name, (3, 3, 3, 4), "f4", external=[("/etc/passwd", 0, 432)])


def _packed(tree, name, rng):
    numbers = np.zeros(rng.choice(((3, 3, 3, 4), (300, 300))), "f4")
    tree.create_dataset(name, data=numbers, compression=rng.choice(("gzip", "lzf")), shuffle=True)


def _filled(tree, name, rng):
    tree.create_dataset(name, (3, 3, 3, 4), "f4", fillvalue=rng.choice((np.nan, np.inf, 1e38)))


def _attribute(tree, name, rng):
    values = (np.zeros(9), "x", b"\xff", 10**18, [b"block1_conv1"] * 9, np.float64("nan"))
    tree[name].attrs[rng.choice(("name", "layer_names", "weight_names", "é"))] = rng.choice(values)


def _deep(tree, name, rng):
    tree.create_group(name + "/x" * rng.choice((3, 30, 300)))


def _many(tree, name, rng):
    for index in range(rng.choice((10, 300))):
        tree.create_group(f"{name}_{index}")


def _named(tree, name, rng):
    others = ("model_weights", "layers/conv2d/vars/0", "layers/conv2d_99999/vars/0", "optimizer")
    tree.move(name, rng.choice((*others, "block1_conv1", "block5_conv4/block1_conv1", "é")))


REPLACEMENTS = (_numbers, _vast, _words, _nothing, _kind, _link, _virtual, _outside, _packed)
HDF5 = (
    *map(_replaced, (*REPLACEMENTS, _filled)),
    *(_attribute, _deep, _many, _named, lambda tree, name, rng: tree.__delitem__(name)),
)


def strange_mat(data: bytes, rng: random.Random) -> bytes:
    """A file of cells and structures with others among them, or with other bytes when unpacked."""
    import scipy.io

    head, parts = data[:128], _elements(data)
    if rng.random() < 0.4:
        place = rng.randrange(len(parts))
        kind, content = parts[place]
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 4, 16))):
            spot = 8 * rng.randrange(max(1, len(damaged) // 8)) + rng.randrange(8)
            damaged[spot % len(damaged)] = rng.choice((0, 1, 2, 5, 14, 15, 127, 255))
        parts[place] = kind, bytes(damaged)
        return head + b"".join(itertools.starmap(_element, parts))
    variables = scipy.io.loadmat(io.BytesIO(data), mat_dtype=True)
    tree = {name: variables[name] for name in variables if name[:2] != "__"}
    for _ in range(rng.choice((1, 1, 2, 4))):
        tree = _other_mat(tree, rng)
    file = io.BytesIO()
    try:
        scipy.io.savemat(file, tree, do_compression=rng.random() < 0.5, long_field_names=True)
    except (TypeError, ValueError, AttributeError, OverflowError, NotImplementedError):
        return data[: rng.randrange(len(data))]
    return b"MATLAB 5.0 MAT-file".ljust(116) + file.getvalue()[116:]


def _elements(data):
    """[type, contents] of the variables in a file, unpacked."""
    place, parts = 128, []
    while place < len(data):
        kind, length = struct.unpack_from("<II", data, place)
        content = data[place + 8 : place + 8 + length]
        if kind == 15:
            content = zlib.decompress(content)[8:]
        parts.append((kind, content))
        place += 8 + length
    return parts


def _element(kind, content):
    if kind == 15:
        content = zlib.compress(struct.pack("<II", 14, len(content)) + content)
    return struct.pack("<II", kind, len(content)) + content


def _other_mat(value, rng):
    """A value of a .mat file, as SciPy reads it, with something else in it."""
    if isinstance(value, dict) and value:
        name = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {each: value[each] for each in value if each != name}
        return value | {name: _other_mat(value[name], rng)}
    if isinstance(value, np.ndarray) and value.size and rng.random() < 0.9:
        value = value.copy()
        place = np.unravel_index(rng.randrange(value.size), value.shape)
        if value.dtype.names:
            value[place][rng.choice(value.dtype.names)] = _other_mat(
                value[place][rng.choice(value.dtype.names)], rng
            )
            return value
        if value.dtype == object:
            value[place] = _other_mat(value[place], rng)
            return value
    deep = np.array([0.0])
    for _ in range(50):
        outer = np.empty(1, object)
        outer[0], deep = deep, outer
    return rng.choice(
        (
            *(np.zeros((0, 0)), np.zeros((3, 3, 3, 4)), np.zeros((3, 3, 64)), np.array("text")),
            *(np.array([np.nan]), np.zeros(3, np.int8), np.array([1j]), deep, {"weights": 5.0}),
            *(np.array([[True]]), np.empty((0, 3), object), {"x" * 60: {"y": np.zeros(2)}}),
        )
    )


def strange_weights(name: str, data: bytes, rng: random.Random) -> bytes:
    """`strange_hdf5` or `strange_mat`, as the name of the file says."""
    return strange_mat(data, rng) if name.endswith(".mat") else strange_hdf5(data, rng)


# ---------------------------------------------------------------------------------------------
# Clips
# ---------------------------------------------------------------------------------------------

ENCODED = {  # suffix: as such files are made
    **dict.fromkeys([".3gp", ".m4v", ".mkv", ".mov", ".mp4", ".m2ts", ".mts", ".ts"], "libx264"),
    **dict.fromkeys([".mpeg", ".mpg"], "mpeg2video"),
    **{".avi": "mpeg4", ".ogv": "libtheora", ".webm": "libvpx-vp9", ".wmv": "wmv2"},
}
SOUND = {".avi": "mp3", ".mkv": "flac", ".mov": "aac", ".mp4": "aac", ".webm": "libopus"}
MOST_FRAMES = 20  # that are looked at


def make_clips(folder: Path) -> None:
    """A clip of five frames in each container, some with sound."""
    import imageio_ffmpeg

    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-fflags", "+bitexact"
    pictures = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=24:d=0.2")
    for suffix, codec in ENCODED.items():
        tone = ("-f", "lavfi", "-i", "sine=duration=0.2") if suffix in SOUND else ()
        heard = ("-c:a", SOUND[suffix], "-ar", "48000") if suffix in SOUND else ()
        exact = ("-flags", "+bitexact", "-fflags", "+bitexact", "-pix_fmt", "yuv420p")
        path = folder / f"clip{suffix}"
        command = [*ffmpeg, *pictures, *tone, "-c:v", codec, *heard, *exact, path]
        subprocess.run(command, check=True)


def read_clip(path: Path, folder: Path) -> None:
    """Reads what a clip says, how many frames it has, and the first of them."""
    clips.read_comment(path)
    clip = clips.open_clip(str(path), max_pixels=10**7)
    with contextlib.closing(clip.frames()) as frames:
        for _ in itertools.islice(frames, MOST_FRAMES):
            pass


# ---------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------

PARTS = (
    *(
        "a",
        "B",
        "é",
        "e\u0301",
        "夜",
        "🎨",
        "\u202e",
        "\u200b",
        " ",
        ".",
        "..",
        "-",
        "--",
        "~",
        "$HOME",
    ),
    *("\n", "\r", "\t", "\x1b[31m", "\x07", "\x7f", "'", '"', "<script>", "&amp;", "%41", "%", "#"),
    *("*", "?", "[a]", "{}", "{0}", "%s", "\\", ":", "|", "\udcff", "\udc80", "con", "x" * 100),
    *("_at_iteration_3", "_losses", "_state", ".png", ".tmp", "0001", "٣", "²", "9" * 50, "=", ","),
)


def strange_name(rng: random.Random) -> str:
    """A name that a file can have on Linux."""
    parts = "".join(rng.choice(PARTS) for _ in range(rng.choice((1, 2, 3, 5, 8))))
    name = parts.replace("/", "").replace("\0", "") + rng.choice((".png", ".PNG", ".jpg", ""))
    encoded = os.fsencode(name)[:250]
    return os.fsdecode(encoded) if encoded not in (b"", b".", b"..") else "x.png"


def make_name(folder: Path) -> None:
    """The one picture that has all the names."""
    Image.new("RGB", (32, 24), "red").save(folder / "photo.png")


def read_named(path: Path, folder: Path) -> None:
    """Does with a file's name what painting it does: finds it, names it, writes beside it."""
    make_printable()
    results = path.parent / "results"
    with contextlib.suppress(InputError):
        reading.load_image(path)
    with contextlib.suppress(InputError):
        (path.parent / "no picture").write_bytes(b"x")
        (path.parent / "no picture").replace(path)
        reading.load_image(path)
    path.write_bytes((folder / "photo.png").read_bytes())
    with contextlib.suppress(InputError):
        clips.numbered_frames(path.parent)
    tasks = pictures.plan_tasks(path.parent, folder / "photo.png", results)
    for task in tasks:
        longest = photo.end_on_the_way(argparse.Namespace(format="png"), 9)
        check_writable(task.prefix, longest)
        record = {"base": metadata.describe_file(task.photo)}
        save_image(
            Image.new("RGB", (16, 16)), f"{task.prefix}.png", description=metadata.to_text(record)
        )
        reading.read_description(f"{task.prefix}.png")
        remove_leftovers(task.prefix)
        pictures.append_line(results / "log.jsonl", time="12:00", photo=str(task.photo))
        say_nothing(f"{task.photo}: painted")
    rows = [(task.photo, task.style, Path(f"{task.prefix}.png")) for task in tasks]
    pictures.write_index(results / "index.html", rows)
    pictures.check_ours(results / "index.html", results / "log.jsonl")
    for result in sorted(results.rglob("*"), reverse=True):
        result.rmdir() if result.is_dir() else result.unlink()


def say_nothing(line: str) -> None:
    """Says a line to a file that takes the letters of Western Europe alone, as on Windows."""
    with (
        io.TextIOWrapper(io.BytesIO(), "cp1252") as file,
        contextlib.redirect_stdout(file),
    ):
        make_printable()
        say(line)
