"""Which slice or view an image is: what its name says. A copy is the slice that it is a copy of.

A number is never made up for a slice whose neighbours have theirs by name: the places of an axis,
counted from 1, would close its gaps.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from inspection.lot.filenames import natural_key
from inspection.records import Modality

_DIGITS = re.compile(r"([0-9]+)")
MOST_DIGITS = 9
"""Of a slice's number; a longer one is a time or a serial number."""
_COPY = re.compile(
    r"""
      \s?-\s?(?:copy|복사본|사본)(?:\s?\([0-9]{1,3}\))?             # Windows: a - Copy (2)
    | [\s_]?\((?:(?:another\s)?copy(?:\s[0-9]{1,3})?|[0-9]{1,3}(?:st|nd|rd|th)\scopy)\)
    | [\s_]?\((?:(?:또\s다른\s)?(?:복사본|사본)|[0-9]{1,3}번째\s(?:복사본|사본))\)    # GNOME
    | [\s_-]copy(?:\s[1-9][0-9]?)?                                  # macOS: a copy 2
    | [\s_-]?복사본(?:\s[1-9][0-9]?)?
    | 의\s사본
    """,
    re.IGNORECASE | re.VERBOSE,
)
_COPY_END = re.compile(f"(?:{_COPY.pattern})+$", _COPY.flags)
_COPY_START = re.compile(r"(?:copy of |복사본 ~ )+", re.IGNORECASE)
_BRACKET = re.compile(r"[\s_]?\([0-9]{1,3}\)$")


def without_copy_mark(stem: str) -> str:
    """Return a name without the words that copying put there: "- Copy", "복사본", "copy 2"."""
    # A Mac writes Korean in its parts.
    stem = unicodedata.normalize("NFC", stem)
    start = _COPY_START.match(stem)
    rest = stem[start.end() :] if start else stem
    end = _COPY_END.search(rest)
    return (rest[: end.start()] if end else rest) or stem


def without_bracket(name: str) -> str:
    """Return a name without the number in brackets that it ends with: "(2)"."""
    return _BRACKET.sub("", name)


def without_copy_marks(stems: Sequence[str]) -> list[str]:
    """Return the names of one axis without what copying put there.

    The number may be in the mark: what is left has to have one too, or to be there as it is. A
    number in brackets may be the slice's own ("slice (1)", "slice (2)"). It is taken for a mark
    where the rest has a number too, and either stands there without brackets or is one of few that
    have any.
    """
    there = {stem.casefold() for stem in stems}
    plain = [
        short if _DIGITS.search(short) or short.casefold() in there else stem
        for stem, short in ((stem, without_copy_mark(stem)) for stem in stems)
    ]
    bare = [without_bracket(name) for name in plain]
    known = {name.casefold() for name in plain}
    few = sum(a != b for a, b in zip(plain, bare, strict=True)) * 2 < len(plain)
    return [
        short if _DIGITS.search(short) and (few or short.casefold() in known) else name
        for name, short in zip(plain, bare, strict=True)
    ]


def numbers_in(names: Sequence[str]) -> list[int | None]:
    """Return the number that each name of one axis says, None where it says none.

    Of several the last one that tells names of the same form apart: 3 of ``s003_16bit`` beside
    ``s004_16bit``.
    """
    split = [_DIGITS.split(name) for name in names]
    forms: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for pieces in split:
        forms[tuple(text.casefold() for text in pieces[::2])].append(pieces[1::2])
    places: dict[tuple[str, ...], int | None] = {}
    for form, groups in forms.items():
        usable = [
            place
            for place, values in enumerate(zip(*groups, strict=True))
            if max(map(len, values)) <= MOST_DIGITS
        ]
        telling = [place for place in usable if len({group[place] for group in groups}) > 1]
        told = telling or usable
        places[form] = told[-1] if told else None
    numbers: list[int | None] = []
    for pieces in split:
        place = places[tuple(text.casefold() for text in pieces[::2])]
        numbers.append(None if place is None else int(pieces[1::2][place]))
    return numbers


def number_axis(
    names: Sequence[str], folders: Sequence[tuple[str, ...]], modality: Modality
) -> list[int | None]:
    """Return the slice or view number of each image of one axis.

    Where the names have numbers, they are the numbers, also if two share one. Names without (most
    have none, or all the same) are counted from 1 in natural order. A slice without a number among
    numbered ones has no place and gets None. Views have no order: they are counted too where two
    different ones share a number.

    Parameters
    ----------
    names : without copy marks
    folders : of each, below the lot
    """
    numbers = numbers_in(names)
    said = [number for number in numbers if number is not None]
    different = {name.casefold() for name in names}
    one_for_all = len(different) > 1 and len(set(said)) == 1
    if len(said) * 2 <= len(names) or one_for_all:
        return _places(names, folders)
    if modality == "rgb":
        keys = [(folder, name.casefold()) for folder, name in zip(folders, names, strict=True)]
        views = dict(zip(keys, numbers, strict=True))
        own = len(set(views.values())) == len(views) and None not in views.values()
        return numbers if own else _places(names, folders)
    # "slice", "slice (1)", "slice (2)": the first of a series has no brackets yet.
    series = {without_bracket(name).casefold() for name in names if _BRACKET.search(name)}
    first = max(0, min(said) - 1)
    return [
        first if number is None and name.casefold() in series and first not in said else number
        for name, number in zip(names, numbers, strict=True)
    ]


def _places(names: Sequence[str], folders: Sequence[tuple[str, ...]]) -> list[int | None]:
    keys = [(folder, name.casefold()) for folder, name in zip(folders, names, strict=True)]
    order = sorted(set(keys), key=lambda key: (key[0], natural_key(key[1]), key[1]))
    places = {key: place for place, key in enumerate(order, start=1)}
    return [places[key] for key in keys]
