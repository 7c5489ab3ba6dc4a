"""Sizes that a network can be built for, checked in a configuration before any data is read."""

from __future__ import annotations

from pydantic_core import PydanticCustomError


def check_multiple(value: int, step: int, *within: str) -> None:
    """Refuse a side of a picture that the network cannot halve as often as it does.

    Parameters
    ----------
    value, step : pixels
    within : where in the configuration the value is

    Raises
    ------
    PydanticCustomError
        If the value is no multiple of the step; names the nearest ones that are.
    """
    if value % step == 0 and value > 0:
        return
    below = value // step * step
    near = " or ".join(str(size) for size in (below, below + step) if size > 0)
    raise PydanticCustomError(
        "size",
        "{value} is no multiple of {step}, which the network needs; the nearest is {near}",
        {"value": value, "step": step, "near": near, "within": within},
    )


def check_at_most(value: int, largest: int, *within: str) -> None:
    """Refuse a crop that is larger than the picture.

    Raises
    ------
    PydanticCustomError
        If it is.
    """
    if value > largest:
        raise PydanticCustomError(
            "size",
            "{value} is more than the smaller side of the network's input, {largest}",
            {"value": value, "largest": largest, "within": within},
        )
