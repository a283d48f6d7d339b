"""The exact loss and gradient of a picture that is too large for the network at once.

All that a loss needs of the whole picture is sums over positions, such as Gram matrices. So each
tile of the picture goes through the network twice:

    1. the sums of all tiles are added up: for the style, G_l = sum over tiles of F^T F, where F are
       layer l's features inside the tile
    2. with D_l = dLoss/dG_l, now constants: the gradient of sum over layers of <D_l, F^T F>, and of
       those terms that are sums over positions already, for the tile and its margin, is added up
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from stylize.backend.tensors import (
    ValueAndGrad,
    as_combination,
    compiled,
    keras,
    to_numpy,
    to_tensors,
    with_gradient,
)
from stylize.losses.term import Canvas, Term, TermOfSums
from stylize.losses.tiles import Tile


class TilePasses:
    """The two passes of a combination's tiles through the network, one tile after another.

    What runs them elsewhere has the same `map`, which yields in the order of the tiles: sums taken
    in the same order are the same to the last bit.

    Args:
        network: gives the features.
        terms: of the loss; their own `targets` are not used.
        tiles: of the combination, from `make_tiles`.
        targets: for each tile, those of each term.
    """

    def __init__(self, network: Any, terms: Sequence[Term], tiles: Sequence[Tile], targets: Any):
        self._network, self._terms, self._tiles, self._targets = network, terms, tiles, targets
        self._passes: dict[Any, tuple[Callable, Callable]] = {}  # compiled, by shape of the tile

    def map(self, name: str, picture: np.ndarray, *others: Any) -> Iterator:
        """Yields what the method `name`, "sums" or "losses", returns for each tile, in order.

        Args:
            name: of the method.
            picture: (rows, cols, 3), float32.
            others: what the method wants besides a tile.
        """
        for index, tile in enumerate(self._tiles):
            yield getattr(self, name)(index, picture[tile.outer], *others)

    def sums(self, index: int, part: np.ndarray) -> list[np.ndarray]:
        """Runs the first pass of a tile. Returns the sums of each `TermOfSums`, vectors.

        Args:
            index: of the tile.
            part: the tile and its margin of the picture, (rows, cols, 3).
        """
        sums, _ = self._passes_of(self._tiles[index].local)
        return [
            keras.ops.convert_to_numpy(own) for own in sums(part[np.newaxis], self._targets[index])
        ]

    def losses(self, index: int, part: np.ndarray, slopes: Sequence) -> Sequence[np.ndarray]:
        """Runs the second pass of a tile. Returns its terms and their sum's gradient by `part`.

        Args:
            index, part: as for `sums`.
            slopes: the gradient by the sums of each `TermOfSums`, split.
        """
        _, losses = self._passes_of(self._tiles[index].local)
        terms, gradient = losses(part[np.newaxis], slopes, self._targets[index])
        return keras.ops.convert_to_numpy(terms), keras.ops.convert_to_numpy(gradient)[0]

    def _passes_of(self, tile):
        """The two passes for tiles of this shape, compiled at the first of them."""
        key = tile.rows, tile.cols
        if key not in self._passes:
            sums = compiled(functools.partial(self._sums, tile))
            losses = with_gradient(functools.partial(self._losses, tile))
            self._passes[key] = sums, ValueAndGrad(losses)
        return self._passes[key]

    def _sums(self, tile, combination, targets):
        """The first pass: the sums of each term that has some."""
        features = self._network(combination)
        return [
            term.sums(features, tile, own)
            for term, own in zip(self._terms, targets, strict=True)
            if isinstance(term, TermOfSums)
        ]

    def _losses(self, tile, combination, slopes, targets):
        """The second pass: terms whose gradient, all tiles' added up, is the loss's."""
        features, slopes = self._network(combination), iter(slopes)
        return keras.ops.stack(
            [
                term.slope_value(features, tile, own, next(slopes))
                if isinstance(term, TermOfSums)
                else term.value(combination, features, tile, own, to_tensors(term.shared))
                for term, own in zip(self._terms, targets, strict=True)
            ]
        )


class TiledLossAndGrads:
    """The losses of a combination and the gradient of their sum, tile by tile.

    Calling it is what calling a `LossAndGrads` is, but that the gradient is float32.

    Args:
        canvas: the picture, in tiles.
        terms: of the loss.
        passes: makes a `TilePasses`, or what has the same `map`, of the same arguments.
    """

    def __init__(self, canvas: Canvas, terms: Sequence[Term], passes: Callable = TilePasses):
        self.shape, self.tiles = (1, canvas.rows, canvas.cols, 3), canvas.tiles
        self.names = [term.name for term in terms]
        self._passes = passes(canvas.network, terms, canvas.tiles, TargetsByTile(terms))
        self._of_sums = [
            (index, term, ValueAndGrad(with_gradient(functools.partial(_value_of_sums, term))))
            for index, term in enumerate(terms)
            if isinstance(term, TermOfSums)
        ]

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        picture = as_combination(x, self.shape)[0]
        values, slopes = self._values_and_slopes(picture)
        terms: Any = 0.0
        gradient = np.zeros_like(picture)
        losses = self._passes.map("losses", picture, slopes)
        for tile, (own, added) in zip(self.tiles, losses, strict=True):
            terms = terms + own.astype(np.float64)
            gradient[tile.outer] += added
        for (index, *_), value in zip(self._of_sums, values, strict=True):
            terms[index] = value
        return terms, gradient.ravel()

    def on_device(self, combination: Any) -> tuple[Any, Any]:
        """The same of a tensor or an array (1, rows, cols, 3), to arrays (losses, gradient)."""
        terms, gradient = self(to_numpy(combination))
        return terms, gradient.reshape(self.shape)

    def _values_and_slopes(self, picture):
        """The terms of sums, and their slopes, in two lists."""
        totals: list[Any] = [0.0] * len(self._of_sums)
        for sums in self._passes.map("sums", picture):
            totals = [
                total + own.astype(np.float64) for total, own in zip(totals, sums, strict=True)
            ]
        values, slopes = [], []
        for (_, term, value_and_grad), total in zip(self._of_sums, totals, strict=True):
            (value,), slope = value_and_grad(total.astype(np.float32), term.shared)
            values.append(float(value))
            slopes.append(term.split(slope))
        return values, slopes


def _value_of_sums(term, sums, shared):
    return keras.ops.reshape(term.value_of_sums(sums, shared), (1,))


class TargetsByTile(Sequence):
    """For each tile, the targets of all terms; each is read from where its term keeps it."""

    def __init__(self, terms: Sequence[Term]):
        self._targets = [term.targets for term in terms]

    def __len__(self) -> int:
        return len(self._targets[0])

    def __getitem__(self, index: Any) -> list[Any]:
        return [own[index] for own in self._targets]
