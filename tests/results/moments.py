"""A folder in which something happens at a moment of one's choice."""

from asmrisk.results.folder import Folder


class Watched(Folder):
    """A folder in which something happens before one of its accesses.

    Parameters
    ----------
    place : pathlib.Path
        The folder.
    moment : int
        Before which access.
    happening : callable
        What; whoever uses the folder stands still meanwhile, as a process that a signal stops.
    """

    def __init__(self, place, moment, happening):
        super().__init__(place)
        object.__setattr__(self, "left", [moment])
        object.__setattr__(self, "happening", happening)

    def access(self):
        self.left[0] -= 1
        if self.left[0] == -1:
            self.happening()

    def read(self, key):
        self.access()
        return super().read(key)

    def sizes(self, prefix=""):
        self.access()
        return super().sizes(prefix)

    def create(self, key, data, *, durable=False):
        self.access()
        return super().create(key, data, durable=durable)

    def changing(self, say=None, go_on=None):
        self.access()
        return super().changing(say, go_on)
