"""A stand-in for the simulation: fast, a pure function of the draw, quick to import in other processes."""

import time

import numpy as np

from asmrisk.simulation.arrays import Simulation


class OneByOne(Simulation):
    """A simulation whose blocks share nothing."""

    compiled = True

    def prepare(self, say=None):
        pass

    def __call__(self, pieces, slot):
        return (self.block(piece.block, slot) for piece in pieces)


class Fake(OneByOne):
    """Numbers of every kind (any integer, NaN, signed zeros), a function of the draw's number alone."""

    def __init__(self, spec, seconds=0.0):
        self.seconds = seconds
        self.calls = []
        #: Of every variable of a run: shape without the draw, and type.
        self.shapes = {
            path: (array.shape[1:], array.dtype)
            for path, array in spec.arrays.items()
            if array.dims[0] == "draw" and path.rpartition("/")[2] != "draw"
        }

    def draw(self, number):
        """Every variable of one draw."""
        rng = np.random.default_rng(number)
        values = {}
        for path, (shape, dtype) in self.shapes.items():
            if dtype.startswith("int"):
                one = rng.integers(-(2**31), 2**31, shape).astype(dtype)
            else:
                one = rng.normal(size=shape)
                one[rng.random(shape) < 0.1] = np.nan
                one[rng.random(shape) < 0.1] = -0.0
            values[path] = one
        return values

    def block(self, block, slot):
        self.calls.append((block.first, block.count))
        shapes = self.shapes.items()
        values = {path: np.zeros((block.count, *shape), dtype) for path, (shape, dtype) in shapes}
        for index in range(block.count):
            if slot[1]:
                break
            for path, one in self.draw(block.first + index).items():
                values[path][index] = one
            if self.seconds:
                time.sleep(self.seconds)
            slot[0] += 1
        return values
