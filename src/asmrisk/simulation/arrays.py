"""The arrays in which results are kept: dimensions, shapes and types, blocks, and what gives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from asmrisk.simulation.variables import Variable

__all__ = ["ArraySpec", "Block", "Piece", "Simulation", "array_specs", "block_length", "bytes_per_draw"]


#: Draws and bytes of a block, at most; blocks of a store, at least, where there are enough draws.
_MOST_DRAWS, _MOST_BYTES, _FEWEST_BLOCKS = 512, 64_000_000, 8


class ArraySpec(NamedTuple):
    """One array."""

    dims: tuple[str, ...]  #: names of the dimensions
    shape: tuple[int, ...]  #: length of each; 0 for those that can grow
    dtype: str  #: ``int32``, ``int64``, ``float64`` or ``string``
    attributes: dict[str, str]  #: unit, meaning


@dataclass(frozen=True)
class Block:
    """A part of the dimensions that can grow, which is computed and written as a whole."""

    index: tuple[int, ...]  #: which, counted along each; empty for the labels, which no block has
    start: tuple[int, ...] = ()  #: where it begins along each
    shape: tuple[int, ...] = ()  #: how long it is

    @property
    def first(self) -> int:
        """Its first draw."""
        return self.start[-1]

    @property
    def count(self) -> int:
        """How many draws it has."""
        return self.shape[-1]


class Piece(NamedTuple):
    """A block of one of the stores that a simulation gives."""

    member: int  #: which of them
    block: Block


class Simulation(Protocol):
    """Gives the arrays of blocks; the same for the same block, wherever, however often and with what others.

    It travels to other processes by pickle: what is large or takes long to make is made on arrival.
    """

    @property
    def compiled(self) -> bool:
        """Whether `prepare` has nothing to compile, which takes a minute or two."""
        ...

    def prepare(self, say: Callable[[str], object] | None = None) -> None:
        """Make ready, in each process, what takes long to make; `say` takes lines for the user."""
        ...

    def shares(self, piece: Piece) -> Hashable:
        """Give what is equal for blocks that share work; of each its own, unless said."""
        return piece

    def most_together(self, pieces: Sequence[Piece]) -> int:
        """Give how many of some blocks that share work may be computed together, for memory and time."""
        return 1

    def __call__(
        self, pieces: Sequence[Piece], slot: NDArray[np.int64], /
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Simulate the blocks of a task: of each in turn the arrays by path, as its store declares them.

        The first element of the `slot`, of shape (2,), counts finished draws of all blocks; the work ends
        early when its second becomes 1.
        """
        ...


def array_specs(
    variables: Mapping[str, Variable],
    labels: Mapping[str, NDArray[Any]],
    descriptions: Mapping[str, tuple[str, str, NDArray[Any]]],
    growing: tuple[str, ...],
) -> tuple[dict[str, ArraySpec], dict[str, NDArray[Any]]]:
    """Declare the arrays of a store: its variables, and in each group the labels of their dimensions.

    Parameters
    ----------
    variables : mapping of str to Variable
        By path.
    labels : mapping of str to ndarray
        Labels of every dimension that cannot grow, of shape (n,): int64, float64, or ``object`` (str).
    descriptions : mapping of str to tuple
        Labels of another label's entries, by path: the dimension, the meaning, the labels.
    growing : tuple of str
        The dimensions that can grow; their labels are 0, 1, 2, ….

    Returns
    -------
    tuple of dict
        The arrays by path, and the values of those that are labels.
    """
    arrays: dict[str, ArraySpec] = {}
    values: dict[str, NDArray[Any]] = {}
    for group in dict.fromkeys(variable.group for variable in variables.values()):
        prefix = f"{group}/" if group else ""
        members = [variable for variable in variables.values() if variable.group == group]
        dims = list(dict.fromkeys(dim for variable in members for dim in variable.dims))
        described = [path for path in descriptions if path.rpartition("/")[0] == group]
        own = {prefix + dim: (dim, dim.replace("_", " ").capitalize(), labels.get(dim)) for dim in dims}
        for path, (dim, meaning, given) in (own | {path: descriptions[path] for path in described}).items():
            if given is None:
                arrays[path] = ArraySpec((dim,), (0,), "int64", {"long_name": meaning})
            else:
                dtype = "string" if given.dtype == object else str(given.dtype)
                arrays[path] = ArraySpec((dim,), given.shape, dtype, {"long_name": meaning})
                values[path] = given
        # As the CF conventions name the labels of a variable that are no dimensions of it (section 5).
        names = " ".join(path.rpartition("/")[2] for path in described)
        for variable in members:
            shape = tuple(0 if dim in growing else len(labels[dim]) for dim in variable.dims)
            attributes = variable.attributes | ({"coordinates": names} if names else {})
            arrays[variable.path] = ArraySpec(variable.dims, shape, variable.dtype, attributes)
    return arrays, values


def bytes_per_draw(arrays: Mapping[str, ArraySpec]) -> int:
    """Give the bytes that a draw takes before compression."""
    return sum(
        math.prod(size for size in array.shape if size) * (4 if array.dtype == "int32" else 8)
        for array in arrays.values()
        if "draw" in array.dims
    )


def block_length(draws: int, arrays: Mapping[str, ArraySpec], multiple: int = 1) -> int:
    """Choose how many draws a block of a new store has: by the draws asked for, never by the machine.

    At most 512 draws and 64 MB; at least eight blocks where there are eight draws, or parameter sets of
    `multiple` draws each, which blocks hold whole; and as few draws more than were asked for as that leaves.

    Examples
    --------
    >>> [block_length(draws, {}) for draws in (5, 100, 1_000, 5_000, 100_000)]
    [1, 13, 125, 500, 511]
    >>> [block_length(draws, {}, 2) for draws in (5, 100, 1_000, 5_000, 100_000)]
    [2, 14, 126, 500, 512]
    """
    sets = -(-draws // multiple)
    most = min(_MOST_DRAWS, max(1, _MOST_BYTES // max(1, bytes_per_draw(arrays)))) // multiple
    blocks = max(_FEWEST_BLOCKS, -(-sets // max(1, most)))
    length = -(-sets // blocks)
    return multiple * (length if -(-sets // length) >= blocks else max(1, sets // blocks))
