"""Values on the wire: JSON that gives back what went in, types, dtypes and bits.

What JSON knows stands for itself. The rest is an object with a key that begins with `$`:

    {"$array": [[1, 2], [3, 4]], "dtype": "int64", "shape": [2, 2]}    numbers and bools, row by row
    {"$array": [null, {"a": 1}], "dtype": "object", "shape": [2]}      values of any kind, flat, each as a value
    {"$scalar": 0.5, "dtype": "float32"}                               one number of numpy
    {"$tuple": ["a", "b"]}                                             a tuple
    {"$float": "nan"}                                                  nan, inf or -inf, which JSON has not
    {"$dict": [["$odd", 1]]}                                           a dict with keys that are no text or begin with $

A float is written with as many digits as give back its bits; a float32 is written as the float64 of the same value.
Nothing is ever evaluated or unpickled.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
MOST_DIMENSIONS = 8


def encode(value: Any) -> Any:
    """What `json.dumps` can write and `decode` reads back.

    Raises:
        TypeError: an object that has no form on the wire.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, np.generic):
        return _encode_scalar(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, str):
        return str(value)
    if type(value) is list:
        return [encode(item) for item in value]
    if type(value) is tuple:
        return {"$tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: encode(item) for key, item in value.items()}
        return {"$dict": [[encode(key), encode(item)] for key, item in value.items()]}
    raise TypeError(
        "only numbers, texts, None, lists, tuples, dicts and arrays can be sent to a server of envs, "
        f"got {value!r:.60} of {type(value).__name__}"
    )


def decode(value: Any) -> Any:
    """The inverse of `encode`.

    Raises:
        ValueError: an object with a `$` that is none of ours.
    """
    if type(value) is list:
        return [decode(item) for item in value]
    if type(value) is not dict:
        return value
    tag = next((key for key in value if key.startswith("$")), None)
    if tag is None:
        return {key: decode(item) for key, item in value.items()}
    reader = _READERS.get(tag)
    try:
        if reader is None:
            raise ValueError(f"known are {list(_READERS)}")
        return reader(value)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"a value of the form {{{tag!r}: …}} cannot be read: {error}") from error


def _encode_array(array: np.ndarray) -> dict[str, Any]:
    shape = list(array.shape)
    if array.dtype.kind in "OU":  # texts too, so that one long text does not widen all others
        return {"$array": [encode(item) for item in array.ravel().tolist()], "dtype": "object", "shape": shape}
    name = _dtype_of(array)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return {"$array": [encode(item) for item in array.ravel().tolist()], "dtype": name, "shape": shape}
    return {"$array": array.tolist() if shape else [array.item()], "dtype": name, "shape": shape}


def _encode_scalar(value: np.generic) -> Any:
    if isinstance(value, np.str_):
        return str(value)
    return {"$scalar": encode(value.item()), "dtype": _dtype_of(value)}


def _dtype_of(value: Any) -> str:
    name = value.dtype.name
    if name not in DTYPES:
        raise TypeError(f"arrays must have a dtype of {[*DTYPES, 'object']}, got {name}")
    return str(name)


def _read_array(value: dict[str, Any]) -> np.ndarray:
    data, dtype, shape = value["$array"], value["dtype"], value["shape"]
    if type(data) is not list or type(shape) is not list or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"it needs a list, and a shape of at most {MOST_DIMENSIONS} numbers")
    if dtype == "object":
        array = np.empty(len(data), dtype=object)
        for k, item in enumerate(data):
            array[k] = decode(item)
    else:
        array = np.array(_with_floats(data), dtype=_known(dtype))
    return array.reshape(shape)


def _with_floats(data: Any) -> Any:
    """Numbers as they are, `$float`s read; only a flat list has them."""
    return [decode(item) if type(item) is dict else item for item in data]


def _read_scalar(value: dict[str, Any]) -> Any:
    return np.dtype(_known(value["dtype"])).type(decode(value["$scalar"]))


def _known(dtype: Any) -> str:
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {[*DTYPES, 'object']}, got {dtype!r:.40}")
    return str(dtype)


def _read_float(value: dict[str, Any]) -> float:
    if value["$float"] not in ("nan", "inf", "-inf"):
        raise ValueError(f"it must be nan, inf or -inf, got {value['$float']!r:.40}")
    return float(value["$float"])


_READERS = {
    "$array": _read_array,
    "$scalar": _read_scalar,
    "$tuple": lambda value: tuple(decode(item) for item in value["$tuple"]),
    "$float": _read_float,
    "$dict": lambda value: {decode(key): decode(item) for key, item in value["$dict"]},
}
