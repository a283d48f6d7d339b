"""What a term of the loss is, and the picture that it is a term of."""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from stylize.backend.scratch import Folder, Scratch
from stylize.losses.tiles import Tile, make_tiles, whole_picture


class Canvas:
    """The picture that is painted at one size, as the network sees it: whole, or in tiles.

    Args:
        network: from `build_network`.
        rows, cols: of the picture.
        tile: rows and columns that the network sees at once, without the margins; None: all.
        beyond, around: as for `make_tiles`.
        scratch: the folder for what is kept of tiles, see `Scratch`.

    Attributes:
        shapes: layer name -> (1, rows, cols, channels) of its features of the picture.
        tiles: those of the picture; one, if it is not cut.
        keep: makes a sequence of what a term keeps for each tile: in memory, or in a file.
    """

    def __init__(
        self,
        network: Any,
        rows: int,
        cols: int,
        tile: int | None = None,
        beyond: Mapping[str, int] | None = None,
        around: int = 1,
        scratch: Folder = None,
    ):
        self.network, self.rows, self.cols, self.tile = network, rows, cols, tile
        self.shapes: Mapping[str, tuple[int, ...]] = network.compute_output_shape(
            (1, rows, cols, 3)
        )
        self.tiles = [whole_picture(rows, cols)]
        if tile:
            self.tiles = make_tiles(network, rows, cols, tile, beyond, around)
        in_file = functools.partial(Scratch, folder=scratch)
        self.keep: Callable[..., Sequence] = in_file if self.is_tiled else list

    @property
    def is_tiled(self) -> bool:
        """Whether the network sees the picture in several parts."""
        return len(self.tiles) > 1

    def positions_and_channels(self, layer: str) -> tuple[int, int]:
        """Returns how many positions and channels a layer has: Gatys's M and N."""
        _, rows, cols, channels = self.shapes[layer]
        return rows * cols, channels


class Term:
    """A term of the loss: a weighted distance from targets, fixed while one size is painted.

    Attributes:
        name: of the term, in `Losses` and in records.
        column: its heading in the table of losses.
        targets: for each tile, the arrays that it is compared with, in any nesting.
        shared: what all tiles are compared with alike, such as weights and Gram matrices: arrays
            and numbers, in any nesting.

    All else that a term holds says how it is computed. Terms are equal where that is: the loss
    compiled for one picture then serves the next, whose targets are others.
    """

    name: ClassVar[str]
    column: ClassVar[str]
    columns: ClassVar[dict[str, str]] = {}  # name -> column, of all terms that there are
    targets: Sequence[Any] = ()
    shared: Any = ()

    def __init_subclass__(cls) -> None:
        if "name" in vars(cls):
            Term.columns[cls.name] = cls.column

    def value(
        self,
        combination: Any,
        features: Mapping[str, Any],
        tile: Tile,
        targets: Any,
        shared: Any,
    ) -> Any:
        """Returns the term of a tile, a scalar; all tiles' add up to that of the whole picture.

        Args:
            combination: the tile and its margin, (1, rows, cols, 3), as `preprocess_image` makes
                it.
            features: layer name -> (1, rows, cols, channels) of that.
            tile: where it is in that picture.
            targets, shared: its own, as tensors.
        """
        raise NotImplementedError

    def kind(self) -> "Term":
        """Returns a copy without `targets` and `shared`, for a compiled loss."""
        kind = copy.copy(self)
        kind.targets = kind.shared = ()
        return kind

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self.kind()) == vars(other.kind())

    def __hash__(self) -> int:
        return hash(type(self))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"targets": ()}  # to Ray's workers, these travel tile by tile


class TermOfSums(Term):
    """A term that is a function of sums over positions of the whole picture, as Gram matrices are.

    Its slopes are the gradient with respect to these sums. Where they are known, `value` may be
    replaced by `slope_value`, which has the same gradient and needs one tile at a time.
    """

    def sums(self, features: Mapping[str, Any], tile: Tile, targets: Any) -> Any:
        """Returns a tile's sums, a vector. Arguments as for `value`."""
        raise NotImplementedError

    def value_of_sums(self, sums: Any, shared: Any) -> Any:
        """Returns the term, a scalar, of the sums of all tiles. `shared`: as for `value`."""
        raise NotImplementedError

    def slope_value(
        self, features: Mapping[str, Any], tile: Tile, targets: Any, slopes: Any
    ) -> Any:
        """Returns a scalar whose gradients, added up over all tiles, are the term's.

        Args:
            features, tile, targets: as for `value`.
            slopes: the gradient of `value_of_sums`, as `split` has it.
        """
        raise NotImplementedError

    def split(self, sums: Any) -> Any:
        """Returns the sums, or the slopes, in shapes of their own: from a vector, any nesting."""
        return sums
