"""The ruler: how its places are set, taken and moved."""

from __future__ import annotations

import pytest

from app.planes.ruler import Ruler
from inspection.volumes.planes import Space

SPACE = Space((10, 100, 100), (0.5, 0.1, 0.1))
REACH = 3.0


def drag(ruler: Ruler, axis, start, end) -> None:
    ruler.press(axis, start, REACH)
    ruler.move(end)
    ruler.release(REACH)


def test_a_drag_is_a_length_and_a_click_makes_it_an_angle():
    ruler = Ruler()
    drag(ruler, "z", (10, 10), (40, 50))
    assert ruler.length(SPACE) == pytest.approx(5.0)
    assert ruler.angle(SPACE) is None
    drag(ruler, "z", (70, 10), (70, 10))
    assert len(ruler.places) == 3
    assert ruler.angle(SPACE) == pytest.approx(73.74, abs=0.01)


def test_two_clicks_are_a_length_too():
    ruler = Ruler()
    drag(ruler, "z", (10, 10), (10, 10))
    assert ruler.length(SPACE) is None
    drag(ruler, "z", (20, 10), (20, 10))
    assert ruler.length(SPACE) == pytest.approx(1.0)


def test_a_place_is_taken_and_moved():
    ruler = Ruler()
    drag(ruler, "z", (10, 10), (40, 10))
    drag(ruler, "z", (41, 11), (60, 10))
    assert ruler.places == [(10, 10), (60, 10)]


def test_another_plane_or_a_fourth_place_begins_anew():
    ruler = Ruler()
    drag(ruler, "z", (10, 10), (40, 10))
    drag(ruler, "x", (5, 5), (5, 9))
    assert (ruler.axis, ruler.places) == ("x", [(5, 5), (5, 9)])
    # Rows of a plane across x are 0.5 mm high.
    assert ruler.length(SPACE) == pytest.approx(2.0)
    drag(ruler, "x", (50, 5), (50, 5))
    drag(ruler, "x", (80, 5), (80, 9))
    assert ruler.places == [(80, 5), (80, 9)]
