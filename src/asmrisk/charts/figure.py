"""A figure that a notebook shows, whether or not pyplot was imported."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]


class ShownFigure(Figure):
    """A figure that pyplot knows nothing of, so that it is shown once: where a cell returns it.

    IPython shows figures by itself only once pyplot was imported; before that by this method.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=100)
        return file.getvalue()
