"""Labels: from plain arrays to xarray, and along the axes of what was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["axis", "labeled", "relabeled"]


def labeled(
    values: Any,
    labels: Mapping[str, Any],
    attributes: Mapping[str, Any],
    further: Mapping[str, tuple[str, Any]] | None = None,
) -> xr.DataArray:
    """Label a plain array.

    Parameters
    ----------
    values : ndarray
        One axis for each of `labels`.
    labels : mapping of str to sequence or xarray.Variable
        Names of the axes in order, and labels along them; None for an axis without labels.
    attributes : mapping
        ``units`` and ``long_name``.
    further : mapping of str to (str, sequence or xarray.Variable)
        More labels: name, the axis that they run along, and they themselves.
    """
    coordinates = {dim: _coordinate(dim, each, xr.IndexVariable) for dim, each in labels.items()}
    coordinates |= {
        name: _coordinate(dim, each, xr.Variable) for name, (dim, each) in (further or {}).items()
    }
    known = {name: each for name, each in coordinates.items() if each is not None}
    variable = xr.Variable(tuple(labels), values, dict(attributes), fastpath=True)
    return xr.DataArray(variable, known)


def relabeled(
    values: Any,
    like: xr.DataArray,
    first: Mapping[str, Any],
    *,
    gone: Sequence[str] = ("draw",),
    attributes: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Label an array whose axes are new ones (as for `labeled`), then those of another array but for some."""
    dims = {str(dim): like.coords.get(dim) for dim in like.dims if dim not in gone}
    further = {
        str(name): (str(each.dims[0]), each.variable)
        for name, each in like.coords.items()
        if each.ndim and name not in like.dims and each.dims[0] not in gone
    }
    labels = dict(first) | {dim: None if each is None else each.variable for dim, each in dims.items()}
    return labeled(values, labels, like.attrs if attributes is None else attributes, further)


def axis(name: str, labels: Any, attributes: Mapping[str, Any]) -> xr.Variable:
    """Give labels with a unit and a meaning, for `labeled`."""
    make: type[xr.Variable] = xr.IndexVariable
    return make(name, np.asarray(labels), dict(attributes), fastpath=True)


def _coordinate(dim: str, labels: Any, kind: type[xr.Variable]) -> xr.Variable | None:
    if labels is None or isinstance(labels, xr.Variable):
        return labels
    array = np.asarray(labels)
    # Words are objects, as they are when a store is read.
    array = array if array.dtype.kind in "if" else np.asarray(labels, dtype=object)
    # The fast path: the other one imports all of dask to see whether this is an array of its kind.
    return kind(dim, array, fastpath=True)
