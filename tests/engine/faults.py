"""What goes wrong in workers of a cluster, in a module that they import quickly."""

import errno
import os
from pathlib import Path

from asmrisk.engine.block_task import BlockTask
from asmrisk.results.folder import Folder
from tests.fake_simulation import Fake
from tests.results import small


class Nothing(BlockTask):
    """A task that computes and writes nothing."""

    def __call__(self, pieces, slot):
        pass


class Elsewhere(Folder):
    """A folder that other processes look for at another place."""

    def __reduce__(self):
        return Folder, (self.place.parent / "elsewhere" / self.place.name,)


class Lossy(Fake):
    """Fails at one draw, by an exception or by the worker's death, as often as it is told to."""

    def __init__(self, draw, times, folder, death=False):
        super().__init__(small.declare(Path("nowhere"), 1).spec)
        self.failing, self.times, self.folder, self.death = draw, times, folder, death

    def draw(self, number):
        attempt = len(list(self.folder.iterdir()))
        if number == self.failing and attempt < self.times:
            (self.folder / f"{attempt}").touch()
            if self.death:
                os._exit(1)
            raise ZeroDivisionError("division by zero")
        return super().draw(number)


class FullDisk(Fake):
    """Finds the disk full in the worker's process once it has come to some draw."""

    def __init__(self, spec, draw):
        super().__init__(spec)
        self.full_at = draw

    def block(self, block, slot):
        if block.first >= self.full_at:

            def create(*_, **__):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            Folder.create = create
        return super().block(block, slot)
