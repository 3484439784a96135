"""A clinician table that Arrow keeps: in Parquet, of a file that may unpack to anything, or in memory."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from asmrisk.clinician_tables.tidy import declared_name
from asmrisk.errors import InputError
from asmrisk.limits import require_within

__all__ = ["columns_of_parquet", "require_text"]

#: Whole numbers, some of which are missing, as pandas keeps them to the last digit.
_WHOLE = {
    **dict.fromkeys((pa.int8(), pa.int16(), pa.int32(), pa.int64()), pd.Int64Dtype()),
    **dict.fromkeys((pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()), pd.UInt64Dtype()),
}
#: What pandas calls the rows.
_INDEX = "__index_level_"


def columns_of_parquet(data: bytes, where: str) -> pd.DataFrame:
    """Read the declared columns of a table; the others are there by name, and empty.

    Parameters
    ----------
    data : bytes
        The file.
    where : str
        What messages call it.

    Returns
    -------
    pandas.DataFrame
        Numbers, or objects: text, truth values and what else a file has.

    Raises
    ------
    InputError
        If it has, or unpacks to, more than the limits of a table allow, or a declared column has no plain
        values.
    pyarrow.ArrowException, OSError, ValueError
        If it is damaged.
    """
    source = pa.BufferReader(data)
    with pq.ParquetFile(source) as file:
        schema, described = file.schema_arrow, file.metadata
    require_within("table_columns", described.num_columns, where=where)
    declared = [field for field in schema if declared_name(field.name)]
    for field in declared:
        if pa.types.is_nested(field.type):
            raise InputError("has lists or tables as cells; give plain values", where=where, what=field.name)
    groups = [described.row_group(number) for number in range(described.num_row_groups)]
    rows = max(described.num_rows, sum(group.num_rows for group in groups))
    require_within("table_rows", rows, where=where)
    require_within("table_cells", rows * len(schema), where=where)
    names = list(dict.fromkeys(field.name for field in declared))
    leaves = [n for n in range(described.num_columns) if described.schema.column(n).path in names]
    unpacked = sum(group.column(leaf).total_uncompressed_size for group in groups for leaf in leaves)
    require_within("table_bytes", max(unpacked, rows * sum(map(_width, declared))), where=where)
    # Each text is kept once, as in the file: a million copies of it take no more memory than one.
    texts = [field.name for field in declared if _width(field) == 0]
    with pq.ParquetFile(source, metadata=described, read_dictionary=texts) as file:
        table = file.read(columns=names)
    characters = 0
    for name, column in zip(table.column_names, table.columns, strict=True):
        longest, together = _texts(column)
        require_within("cell_characters", longest, where=where, what=name)
        characters += together
    require_within("table_bytes", characters, where=where)
    columns = [_series(column) for column in table.columns]
    frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(len(table)))
    frame.columns = pd.Index(table.column_names)
    others = [name for name in schema.names if name not in names and not name.startswith(_INDEX)]
    return frame.join(pd.DataFrame(None, index=frame.index, columns=others, dtype=object))


def _width(field: pa.Field) -> int:
    """Give the bytes of a cell; 0 for texts, which have any."""
    try:
        return -(-int(field.type.bit_width) // 8)
    except ValueError:
        return 0


def _texts(column: pa.ChunkedArray) -> tuple[int, int]:
    """Give the bytes of the longest text of a column, and of all, each as often as it stands there."""
    longest, together = 0, 0
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type) and _width(pa.field("", chunk.type.value_type)) == 0:
            lengths = pc.binary_length(chunk.dictionary)
            longest = max(longest, pc.max(lengths).as_py() or 0)
            together += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    return longest, together


def _series(column: pa.ChunkedArray) -> Any:
    series = column.to_pandas(types_mapper=_WHOLE.get)
    return series.astype(object) if isinstance(series.dtype, pd.CategoricalDtype) else series


def require_text(frame: pd.DataFrame, where: str) -> None:
    """Refuse text of a table in memory that Arrow keeps and that is not UTF-8: pandas takes any bytes."""
    for name, column in frame.items():
        try:
            pa.array(column.array).validate(full=True)
        except pa.ArrowInvalid as error:
            text = "has text that is not UTF-8; decode it as what it is"
            raise InputError(text, where=where, what=str(name)) from error
