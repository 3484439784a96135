"""The arrays of a store as zarr defines them, in memory: the bytes of metadata and labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from asmrisk.results.content import Content
from asmrisk.results.description import PATH
from asmrisk.results.store.chunks import ChunkFormat, encode_strings
from asmrisk.results.store.metadata import GROUP, ArrayMetadata

__all__ = ["Layout"]

_LABELS = {
    "draw": "Draw",
    "performance_year": "Performance year",
    "cohort": "Cohort",
    "specialty": "Specialty",
    "practice_size": "Practice size",
    "quantile": "Quantile level",
    "measure": "Quality measure",
    "collection_type": "Collection type",
    "edge": "Decile edge",
    "parameter": "Uncertain parameter",
    "clinician": "Clinician of the roster",
}


class Layout:
    """The arrays of a store: metadata, labels, shapes of chunks.

    Parameters
    ----------
    content : Content
        Variables and labels.
    length : int
        Length of the arrays along the leading dimension.
    block_length : int
        Length of a chunk along it.
    """

    def __init__(self, content: Content, length: int, block_length: int) -> None:
        # What the metadata files say, by their keys.
        self._documents: dict[str, dict[str, Any]] = {}
        self._labels: dict[str, bytes] = {}
        self._leading = content.leading
        self._block_length = block_length
        #: Of every array of which each block writes a chunk, by path.
        self.chunks: dict[str, ChunkFormat] = {}
        labels = content.labels
        #: Names of the groups, the root's being empty.
        self.groups = list(dict.fromkeys(variable.group for variable in content.variables.values()))
        for group in self.groups:
            if group:
                self._documents[f"{group}/zarr.json"] = GROUP
            members = [variable for variable in content.variables.values() if variable.group == group]
            for dim in dict.fromkeys(dim for variable in members for dim in variable.dims):
                path = f"{group}/{dim}" if group else dim
                attributes = {"long_name": _LABELS.get(dim, dim.replace("_", " ").capitalize())}
                if dim == content.leading:
                    self._create(path, (dim,), (length,), "int64", attributes)
                else:
                    self._label(path, dim, labels[dim], attributes)
            described = []
            for path, (dim, meaning, values) in content.descriptions.items():
                if path.rpartition("/")[0] == group:
                    described.append(path.rpartition("/")[2])
                    self._label(path, dim, values, {"long_name": meaning})
            # As the CF conventions name the labels of a variable that are no dimensions of it (section 5).
            coordinates = {"coordinates": " ".join(described)} if described else {}
            for variable in members:
                shape = (length, *(len(labels[dim]) for dim in variable.dims[1:]))
                attributes = variable.attributes | coordinates
                self._create(variable.path, variable.dims, shape, variable.dtype, attributes)
        self._metadata = {key: json.dumps(document).encode() for key, document in self._documents.items()}

    def _label(self, path: str, dim: str, values: NDArray[Any], attributes: Mapping[str, str]) -> None:
        """Make an array of labels: it has one chunk, made here and now."""
        strings = values.dtype == object
        dtype = "string" if strings else str(values.dtype)
        self._create(path, (dim,), values.shape, dtype, attributes)
        if len(values):
            chunk = encode_strings(values) if strings else ChunkFormat(values.shape, dtype).encode(values)
            self._labels[f"{path}/c.0"] = chunk

    def _create(
        self,
        path: str,
        dims: tuple[str, ...],
        shape: tuple[int, ...],
        dtype: str,
        attributes: Mapping[str, str],
    ) -> None:
        if not PATH.fullmatch(path):
            raise ValueError(f"{path!r} is no name for an array")
        in_blocks = dims[0] == self._leading
        chunk = (max(self._block_length if in_blocks else shape[0], 1), *shape[1:])
        if in_blocks:
            self.chunks[path] = ChunkFormat(chunk, dtype)
        array = ArrayMetadata(dims, shape, chunk, dtype, dict(attributes))
        self._documents[f"{path}/zarr.json"] = array.document()

    def metadata(self) -> dict[str, bytes]:
        """Give the metadata files of all arrays and groups but the root's, by key."""
        return dict(self._metadata)

    def labels(self) -> dict[str, bytes]:
        """Give the chunk files of all labels, by key."""
        return dict(self._labels)

    def root(self, attributes: Mapping[str, Any]) -> bytes:
        """Give the root's metadata file, which carries all the others."""
        return json.dumps(
            {
                "zarr_format": 3,
                "node_type": "group",
                "attributes": dict(attributes),
                "consolidated_metadata": {
                    "kind": "inline",
                    "must_understand": False,
                    "metadata": {
                        key.removesuffix("/zarr.json"): document
                        for key, document in sorted(self._documents.items())
                    },
                },
            }
        ).encode()
