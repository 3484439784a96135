"""Labels: from plain arrays to xarray, and along the axes of what was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["axis", "labeled", "labels_of"]


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

    Returns
    -------
    xarray.DataArray
        A view of the array.
    """
    coordinates = {dim: _coordinate(dim, each, xr.IndexVariable) for dim, each in labels.items()}
    coordinates |= {
        name: _coordinate(dim, each, xr.Variable) for name, (dim, each) in (further or {}).items()
    }
    known = {name: each for name, each in coordinates.items() if each is not None}
    variable = xr.Variable(tuple(labels), values, dict(attributes), fastpath=True)
    return xr.DataArray(variable, known)


def labels_of(array: xr.DataArray, without: str = "") -> tuple[dict[str, Any], dict[str, tuple[str, Any]]]:
    """Give the labels of an array as `labeled` takes them, but for one axis."""
    labels = {
        str(dim): array.coords[dim].variable if dim in array.coords else None
        for dim in array.dims
        if dim != without
    }
    further = {
        str(name): (str(each.dims[0]), each.variable)
        for name, each in array.coords.items()
        if each.ndim and name not in array.dims and each.dims != (without,)
    }
    return labels, further


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
