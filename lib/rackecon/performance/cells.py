"""A choice of cells of a grid, and what arrays on some of its axes hold there."""

from __future__ import annotations

from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import IntArray

Scalar = TypeVar("Scalar", bound=np.generic)


class Cells:
    """Cells of a grid by their flat numbers; where each kind of array has them is worked out once.

    Parameters
    ----------
    shape : tuple of int
        The grid.
    chosen : ndarray of int
        Flat numbers of the cells.

    Examples
    --------
    >>> row, column = np.array([[10.0], [20.0]]), np.array([[1.0, 2.0, 3.0]])
    >>> cells = Cells((2, 3), np.array([0, 5]))
    >>> (cells.of(row) + cells.of(column)).tolist()
    [11.0, 23.0]
    >>> [places.tolist() for places in cells.along]
    [[0, 1], [0, 2]]
    """

    def __init__(self, shape: tuple[int, ...], chosen: IntArray) -> None:
        self.shape = shape
        self.chosen = chosen
        self.along = np.unravel_index(chosen, shape) if len(shape) > 1 else (chosen,)
        self._numbers: dict[tuple[int, ...], IntArray] = {shape: chosen}

    def __len__(self) -> int:
        return len(self.chosen)

    def of(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Values in the cells, of an array that broadcasts to the grid; one value for all stays one."""
        if values.size == 1:
            return values.reshape(1)
        return values.reshape(-1).take(self._flat(values.shape))

    def pair(self, values: tuple[NDArray[Scalar], NDArray[Scalar]]) -> tuple[NDArray[Scalar], NDArray[Scalar]]:
        """:meth:`of` each of two."""
        return self.of(values[0]), self.of(values[1])

    def _flat(self, shape: tuple[int, ...]) -> IntArray:
        if shape not in self._numbers:
            offset, steps = len(self.shape) - len(shape), 1
            flat: IntArray | None = None
            for axis in reversed(range(len(shape))):
                if shape[axis] > 1:
                    part = self.along[offset + axis]
                    flat = part if flat is None else flat + part * steps
                    steps *= shape[axis]
            self._numbers[shape] = np.zeros(1, dtype=np.intp) if flat is None else flat
        return self._numbers[shape]


class ByCell:
    """A frozen dataclass of arrays that broadcast to a grid, by themselves, in tuples or in records of the kind."""

    def at(self, cells: Cells) -> Self:
        """The same for some cells alone; a table that all rows look up stays whole."""
        named = self.__dataclass_fields__  # type: ignore[attr-defined]
        values = {name: getattr(self, name) for name in named}
        return type(self)(**{name: x if name == SHARED else _at(x, cells) for name, x in values.items()})


SHARED = "share_lines"


def _at(value: Any, cells: Cells) -> Any:
    if isinstance(value, np.ndarray):
        return cells.of(value)
    if isinstance(value, tuple):
        return tuple(_at(x, cells) for x in value)
    return value.at(cells) if isinstance(value, ByCell) else value
