"""Texts and tables of other libraries as rows by the names of their columns, without importing any of these."""

import math


def rows_of(data, text_fields):
    """``data`` as a list of dicts.

    A text stands in each of ``text_fields``. Tables are pandas' and polars' DataFrames, Arrow's tables and batches, and a dict of columns;
    anything else is a list of texts, or of dicts.
    """
    columns = _columns(data)
    if columns is not None:
        names, values = list(columns), [list(column) for column in columns.values()]
        return [dict(zip(names, map(_plain, row))) for row in zip(*values)]
    if isinstance(data, str):
        raise TypeError("one str; give a list of texts")
    rows = []
    for place, row in enumerate(data.tolist() if hasattr(data, "tolist") else data):
        if isinstance(row, dict):
            rows.append({name: _plain(value) for name, value in row.items()})
        elif isinstance(row, str) or _missing(row):
            rows.append({field: _plain(row) for field in text_fields})
        else:
            raise TypeError(f"row {place} is {type(row).__name__}; give texts, dicts, or a table with columns")
    return rows


def _columns(data):
    """Names and values of a table; None of what is none."""
    if isinstance(data, dict):
        return data
    if hasattr(data, "to_pydict"):  # Arrow
        return data.to_pydict()
    if hasattr(data, "get_columns"):  # polars
        return {column.name: column.to_list() for column in data.get_columns()}
    if hasattr(data, "columns") and hasattr(data, "iloc"):  # pandas
        return {str(name): data[name].tolist() for name in data.columns}
    return None


def _missing(value):
    return value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in ("NAType", "NaTType")


def _plain(value):
    """A value as JSON has it: what is missing is null, what JSON does not know is its text."""
    if _missing(value):
        return None
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):  # a scalar of numpy
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        # pandas makes whole numbers with one missing among them floats.
        return int(value)
    return value if isinstance(value, (str, bool, int, float, list, dict)) else str(value)
