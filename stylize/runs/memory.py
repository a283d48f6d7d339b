"""How much memory and disk a size needs, and what to do if there is less: tiles, files."""

import itertools
import math
from collections.abc import Iterable, Sequence

from stylize.backend import machine, tensors
from stylize.losses.hypercolumns import HYPERCOLUMN_LAYERS
from stylize.losses.search import MANY, MANY_AXES, SIMILARITIES
from stylize.losses.tiles import grid_and_margin
from stylize.optimize.lbfgs import UnitStepLBFGS
from stylize.runs.progress import Stage
from stylize.runs.settings import Settings
from stylize.vgg.weights import CONVOLUTIONS

# What memory is needed for, measured by benchmarks/memory.py:
PROCESS_MIB = 940  # before a picture is there
NETWORK_BYTES = {"float32": 3000, "bfloat16": 2180, "float16": 2180}  # for each pixel it sees
IN_TILES = 1.4  # times as much: two passes fragment memory
STATE_BYTES = {"lbfgs": 80, "torch": 80, "scipy": 1200, "adam": 200}  # for each pixel, by optimizer
PAIR_BYTES = 24  # for each pixel and each pair of vectors that L-BFGS remembers
IN_FILES_BYTES = 54  # for each pixel, with our L-BFGS in files
KEPT_BYTES = 52  # for each pixel, of the photo that a mask keeps and the picture that has it
FILTER_BYTES = 40  # for each pixel, during the preconditioner's FFT
WORKSPACE_BYTES, WORKSPACE_MIB = 640, 270  # of the convolutions, for each pixel, but not more than
COLUMN_BYTES = 900  # of hypercolumns, for each pixel of the picture and of the styles
HYPERCOLUMN_BYTES, PREPARED = 640, 4  # of one alone; how many of each style's there are at once
MANY_TIMES = 1.2  # as much, where places are many: targets are there twice for a while
ALONG_BYTES = 4 * MANY_AXES / 16  # of places along axes, for each pixel
SEARCH_BYTES = 10  # for each similarity that is in memory at once
TILES = (4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256, 128)  # to choose from
FORWARD_BYTES = 480  # for each pixel of a style that goes through the network whole
SHARE = 0.8  # of the free memory that a run takes if it is not told
# Disk needed for each pixel, besides L-BFGS's pairs: 10 vectors in files; 3 (Adam: 6) in the state
# file, twice, since the old one stays until the new one replaces it.
FILES_BYTES = 10 * 12
STATE_FILE_BYTES = {"lbfgs": 2 * 36, "torch": 2 * 36, "scipy": 2 * 36, "adam": 2 * 72}
FILES_COST = 0.1  # of an evaluation, that its optimiser reads and writes them


def margin(layers: Iterable[str], around: int = 1) -> int:
    """Pixels around a tile that the deepest of some layers sees, as `tiles.grid_and_margin` has it.

    It is foreseen from the layers' names, before there is a network.
    """
    deepest = max(list(CONVOLUTIONS).index(layer) for layer in layers)
    strides = [2 ** (int(name[5]) - 1) for name in list(CONVOLUTIONS)[: deepest + 1]]
    return grid_and_margin(strides, [sum(strides)], around)[1]


def needed_mib(
    stage: Stage,
    settings: Settings,
    layers: Iterable[str],
    style_pixels: Sequence[int],
) -> float:
    """About the peak MiB of a process that paints a stage on a CPU.

    Args:
        stage: with tiles, or files, or without.
        settings: of the run.
        layers: the network's, that are compared.
        style_pixels: of each style at this stage.
    """
    pixels = stage.rows * stage.cols
    seen = pixels  # by the network at once
    if stage.tile:
        side = stage.tile + 2 * margin(layers, settings.around)
        seen = min(stage.rows, side) * min(stage.cols, side)
    state = STATE_BYTES[settings.optimizer] + _pairs(settings) * PAIR_BYTES
    state = IN_FILES_BYTES if stage.in_files else state
    state += FILTER_BYTES * bool(settings.filter_exponent)
    state += KEPT_BYTES * (settings.keep_mask is not None)
    needed: float = PROCESS_MIB * 2**20 + pixels * state
    network = seen * NETWORK_BYTES[stage.precision] * (IN_TILES if stage.tile else 1)
    network = max(network, 0 if stage.tile else max(style_pixels) * FORWARD_BYTES)
    network += min(seen * WORKSPACE_BYTES, WORKSPACE_MIB * 2**20)
    needed += network
    needed += (sum(style_pixels) - max(style_pixels)) * 12  # of the first, it is in the others
    if settings.neighbor_weight:
        candidates = sum(style_pixels) * (1 + settings.style_turns)
        similarities = min(SIMILARITIES, pixels // 16 * max(style_pixels) // 16)
        hypercolumns: float = (pixels + candidates) * COLUMN_BYTES
        if stage.tile and _has_many_places(pixels, style_pixels):  # all others are in files
            hypercolumns = seen * COLUMN_BYTES
        elif _has_many_places(pixels, style_pixels):
            hypercolumns *= MANY_TIMES
        elif settings.style_turns:  # with one copy alone, evaluations take more than the search
            searching = (pixels + PREPARED * candidates) * HYPERCOLUMN_BYTES
            hypercolumns = max(hypercolumns, searching - network)
        needed += hypercolumns + similarities * SEARCH_BYTES
    return needed / 2**20


def needed_disk_mib(
    stage: Stage, settings: Settings, style_pixels: Sequence[int]
) -> tuple[float, float]:
    """(MiB of files without names: the optimiser's arrays and tiles' targets; of the state file).

    Arguments as for `needed_mib`.
    """
    pairs, pixels = _pairs(settings) * PAIR_BYTES, stage.rows * stage.cols
    files = pixels * (FILES_BYTES + pairs if stage.in_files else 0.0)
    if stage.tile:
        layers = [*settings.content_layers]
        files += pixels * sum(4 * CONVOLUTIONS[n][1] / 4 ** (int(n[5]) - 1) for n in layers)
        if settings.neighbor_weight:
            columns, candidates = pixels, sum(style_pixels) * (1 + settings.style_turns)
            if _has_many_places(pixels, style_pixels):  # the targets twice, or the styles' too
                columns += max(pixels, candidates)
                files += (2 * pixels * len(style_pixels) + candidates) * ALONG_BYTES
            files += columns * sum(4 * CONVOLUTIONS[n][1] / 16 for n in HYPERCOLUMN_LAYERS)
    state = pixels * (STATE_FILE_BYTES[settings.optimizer] + 2 * pairs)
    return files / 2**20, state / 2**20


def _has_many_places(pixels, style_pixels):
    """Whether neighbours are looked up as among many, see `find_neighbors`."""
    return max(pixels, *style_pixels) / 16 > MANY


def _pairs(settings):
    """How many pairs of vectors the optimiser remembers."""
    kept = {"lbfgs": settings.pairs, "torch": UnitStepLBFGS.default_pairs}
    return kept.get(settings.optimizer, 0)


def allowed_mib(settings: Settings) -> float:
    """The MiB that a run may take. Who asks for tiles or none, and for no limit, may try it."""
    if not isinstance(settings.memory, str):  # "auto"
        return settings.memory * 2**10
    return SHARE * tensors.free_memory() if settings.tile == "auto" else math.inf


def warning(needed_mib: float, stage: Stage) -> str:
    """What to tell where the machine has less free memory than a stage needs, else "".

    On a GPU it is the GPU's memory that counts, of which nothing is known here.
    """
    free = machine.free_memory()
    if needed_mib <= free or tensors.uses_gpu():
        return ""
    needs, left = told_apart(needed_mib, free)
    return (
        f"{stage.cols}x{stage.rows} pixels need about {needs} GiB of memory and {left} GiB are "
        "free; choose a smaller --size"
    )


def told_apart(needed_mib: float, allowed_mib: float) -> tuple[str, str]:
    """Both in GiB, with as many digits as show that one is more than the other."""
    needed, allowed = needed_mib / 1024, allowed_mib / 1024
    digits = next((n for n in (1, 2) if f"{needed:.{n}f}" != f"{allowed:.{n}f}"), 3)
    return f"{needed:.{digits}f}", f"{allowed:.{digits}f}"


def choices(stage: Stage, settings: Settings, layers: Iterable[str]) -> list[Stage]:
    """The stage with the tiles that it may have, in memory and in files, the fastest first."""
    around, largest = 2 * margin(layers, settings.around), max(stage.rows, stage.cols)

    def seen(length, tile):
        """Pixels along an axis that all tiles see together; the outer two have one margin each."""
        return length + (math.ceil(length / tile) - 1) * around

    def cost(tile, in_files):
        network = 1.0
        if tile:  # twice forward, once back
            area = seen(stage.rows, tile) * seen(stage.cols, tile)
            network = 1.5 * area / (stage.rows * stage.cols)
        return network + FILES_COST * in_files

    asked: Sequence[int | None]
    if isinstance(settings.tile, str):
        asked = (None, *TILES) if settings.tile == "auto" else (None,)
    else:
        asked = (settings.tile,)
    sizes = [size for size in asked if size is None or size < largest] or [None]
    files = (False, True) if settings.optimizer == "lbfgs" else (False,)
    every = itertools.product(sizes, files)
    return [
        stage._replace(tile=tile, in_files=in_files, cost=cost(tile, in_files))
        for tile, in_files in sorted(every, key=lambda choice: cost(*choice))
    ]
