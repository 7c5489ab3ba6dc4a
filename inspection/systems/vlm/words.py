"""What the words of a VLM's answer mean: judgements and defect types, in English and Korean.

Prose is read in order: phrases that look like one thing and mean another first, then plain words.
What is left unclear is a doubt, and a doubt is never ``normal``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import regex

from inspection.classes import ClassTable, class_table
from inspection.errors import ConfigError
from inspection.records import BatteryType
from inspection.results import Judgement

LONGEST_MATCH_S = 1.0
"""For one pattern on one answer; a site may set patterns of its own, and `re` cannot be stopped."""
JUDGEMENT_WORDS: dict[str, Judgement] = {
    **dict.fromkeys(
        ("normal", "ok", "good", "pass", "passed", "no defect", "no defects", "defect-free",
         "정상", "양품", "합격", "결함 없음", "이상 없음"),
        "normal",
    ),
    **dict.fromkeys(
        ("defect", "defective", "defects", "abnormal", "anomaly", "anomalous", "ng", "fail",
         "failed", "faulty", "not normal", "not ok", "결함", "결함 있음", "불량", "불합격",
         "비정상", "이상 있음"),
        "defect",
    ),
    **dict.fromkeys(
        ("review", "uncertain", "unknown", "unclear", "suspect", "검토", "재검토", "검토 필요",
         "불확실", "판단 불가", "판정 불가"),
        "review",
    ),
}  # fmt: skip

NO_TYPE = frozenset(
    {"", "-", "none", "null", "nil", "n/a", "na", "no", "no defect", "no defects", "없음",
     "해당 없음", "결함 없음"}
)  # fmt: skip
NORMAL_TYPES = frozenset({"normal", "ok", "정상"})
"""Beside the names of the table's own normal classes, see `is_normal_type`."""

# Trouble that is none of the classes, and no state of a normal battery either.
_TROUBLE = (
    r"(?:swelling|swollen|swells?|bulg(?:es?|ing|ed)|leak(?:s|ed|ing|age)?|deform(?:ed|ations?)|"
    r"corro(?:sion|ded)|rust(?:y|ed)?|burnt|discolou?r(?:ed|ation)|delaminat(?:ed|ion)|puncture[ds]?)"
)
_KO_TROUBLE = r"(?:부풀|팽창|누출|누액|변형|부식|변색|박리|찌그러|그을)"
_GENERAL = (
    r"(?:defects?|defective|flaws?|anomal(?:y|ies|ous)|abnormal\w*|faults?|faulty|damages?|"
    r"irregularit(?:y|ies))"
)
_FILLER = (
    r"(?:visible|internal|external|surface|structural|any|of|signs?|evidence|indications?|traces?|"
    r"detectable|or|and|nor|other|the|such as)"
)
_KO_DEFECT = r"(?:결함|불량|손상|이상|문제|하자)"
_KO_NONE = r"(?:없|발견되지 ?않|보이지 ?않|관찰되지 ?않|검출되지 ?않|확인되지 ?않|존재하지 ?않)"

_DOUBTS = re.compile(
    r"\b(?:may|might|could|would|possibl[ey]|perhaps|maybe|probabl[ey]|potential(?:ly)?|suspected|"
    r"unclear|uncertain|unsure|not sure|unable|cannot|can't|can not|difficult|hard to|if|whether|"
    r"either|except(?:ing)?|apart from|other than|besides|aside from|obvious(?:ly)?|significant|"
    r"major|serious|minor|without doubt|no doubt|not without|not free of|not defect.free)\b|\?|"
    r"수 ?있|수 ?없|가능성|불확실|불분명|모호|의심|추정|만약|경우|제외|외에|뚜렷한|큰 문제|심각한|"
    r"없지는|없지 ?않|않은 것은 아니|없는 것은 아니|아닌 것은 아니|없다고|어렵"
)
_NOT_NORMAL = re.compile(
    r"\b(?:not|isn't|is not|neither|never|no longer)(?: \w+)? (?:normal|ok|good|acceptable)\b|"
    r"비정상|정상(?:이|은|적이지|적이|으로)? ?(?:보이지 ?)?(?:아니|아닙|아님|않)"
)
_NORMAL = re.compile(
    r"\b(?:is|are|was|looks?|appears?|seems?|judged|considered|classified as|as|judge?ment|verdict|"
    r"result|status)(?: to be| completely| entirely| a| an)?[ :]+"
    r"(?:normal|ok|good|acceptable)\b|"
    r"정상(?:입니다|임|이다|이며|이고|품|으로 ?판|으로 ?보|적으로 ?보|적인 ?상태|적입|상태)|"
    r"(?:양품|합격)(?:입니다|임|이다|으로)"
)
_DEFECT = re.compile(rf"\b(?:{_GENERAL}|{_TROUBLE})\b|결함|불량|불합격|하자|{_KO_TROUBLE}")
_NEGATIONS = re.compile(
    r"\b(?:no|not|never|none|neither|nor|without|cannot|free|absence|lack)\b|n't\b|"
    r"없|않|아니|아닙|아님|못"
)


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What depends on the class table.

    Parameters
    ----------
    kinds : how prose names each kind of defect
    denials : "no defects": they make a text say normal
    specific : "no pores": they only take the word's weight away
    """

    kinds: Mapping[str, Any]
    denials: tuple[Any, ...]
    specific: tuple[Any, ...]


@cache
def _patterns(table: ClassTable) -> _Patterns:
    nouns = rf"(?:{table.nouns('en')}|{_TROUBLE})"
    ko_nouns = rf"(?:{table.nouns('ko')}|{_KO_TROUBLE}(?:음|짐|림)?)"
    denials = (
        rf"\b(?:no|without|free (?:of|from)|zero|absence of|lack of|"
        rf"(?:not|n't|never) (?:see|find|detect|observe|show|contain|have|exhibit|reveal)(?: any)?)"
        rf"(?:,? {_FILLER}|,? {nouns}){{0,8}}?,? {_GENERAL}"
        rf"(?:,? (?:or|and|nor|of|{_GENERAL}|{nouns})\b){{0,8}}",
        rf"\b{_GENERAL}(?:[- ]free|(?: \w+)? (?:is|are|was|were) not \w+)",
        rf"{_KO_DEFECT}(?:나|,|및|은|는|이|가|도|으로| |{ko_nouns}|{_KO_DEFECT}|"
        rf"할 만한|점|부위|징후|의){{0,20}}{_KO_NONE}",
    )
    specific = (
        rf"\b(?:no|without|free (?:of|from))(?:,? {_FILLER}){{0,4}}?,? {nouns}"
        rf"(?:,? (?:or|and|nor|{nouns})\b){{0,8}}",
        rf"{ko_nouns}(?:나|,|및|은|는|이|가|도|으로| |{ko_nouns}){{0,20}}{_KO_NONE}",
    )
    return _Patterns(
        {kind: regex.compile(table.words(kind)) for kind in table.kinds},
        tuple(map(regex.compile, denials)),
        tuple(map(regex.compile, specific)),
    )


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise ConfigError("class_words_slow") from error


@dataclass(frozen=True, slots=True)
class Claims:
    """What a text claims. All False where it says nothing of the matter."""

    normal: bool = False
    defect: bool = False
    doubt: bool = False

    @property
    def judgement(self) -> Judgement | None:
        """What the claims come to; None where there are none."""
        if not (self.normal or self.defect):
            return None
        if self.doubt or (self.normal and self.defect):
            return "review"
        return "defect" if self.defect else "normal"


def claims_of(text: str) -> Claims:
    """Read prose. Linear in time for the length that `vlm_answers` lets through."""
    left = " ".join(text.lower().split())
    word = JUDGEMENT_WORDS.get(left.strip(" .!\"'*`"))
    if word is not None:
        return Claims(normal=word == "normal", defect=word == "defect", doubt=word == "review")
    doubt = _DOUBTS.search(left) is not None
    left, not_normal = _NOT_NORMAL.subn(" ", left)
    denied = 0
    patterns = _patterns(class_table())
    with _in_time():
        for pattern in patterns.denials:
            left, count = pattern.subn(" ", left, timeout=LONGEST_MATCH_S)
            denied += count
        for pattern in patterns.specific:
            left = pattern.sub(" ", left, timeout=LONGEST_MATCH_S)
        left, normal = _NORMAL.subn(" ", left)
        kinds = patterns.kinds.values()
        defect = bool(_DEFECT.search(left)) or any(
            kind.search(left, timeout=LONGEST_MATCH_S) for kind in kinds
        )
    # A negation that no phrase explains may turn anything into its opposite.
    doubt = doubt or _NEGATIONS.search(left) is not None
    return Claims(bool(denied or normal), defect or bool(not_normal), doubt)


def kind_of(text: str) -> str | None:
    """Return the one kind of defect that a text names; None where it names none or several."""
    lowered = text.lower().replace("_", " ")
    kinds = _patterns(class_table()).kinds
    with _in_time():
        found = [
            kind
            for kind, pattern in kinds.items()
            if pattern.search(lowered, timeout=LONGEST_MATCH_S)
        ]
    return found[0] if len(found) == 1 else None


def is_normal_type(text: str) -> bool:
    """Return whether a text names a class that is no defect."""
    name = text.strip().lower()
    if name in NORMAL_TYPES:
        return True
    rows = class_table().rows.items()
    normal = [(key, row.name["ko"]) for key, row in rows if row.kind is None]
    return any(name in (key, key.replace("_", " "), korean) for key, korean in normal)


def type_of(text: str, battery_type: BatteryType | None) -> str | None:
    """Return the class that a text names, of either modality; None where that is not clear.

    Parameters
    ----------
    text : a class name as in the prompt, or words such as "a dark pore"
    battery_type : decides where a kind has a class for cells and one for modules
    """
    table = class_table()
    name = text.strip().lower().replace(" ", "_")
    if name in table.rows:
        return name if table.is_defect(name) else None
    kind = kind_of(text)
    classes = table.kinds[kind] if kind else ()
    if len(classes) <= 1:
        return next(iter(classes), None)
    lowered = text.lower()
    named: list[BatteryType] = []
    if "cell" in lowered or "셀" in lowered:
        named.append("cell")
    if "module" in lowered or "모듈" in lowered:
        named.append("module")
    which = named[0] if len(named) == 1 else battery_type
    return next((name for name in classes if table.rows[name].battery_type == which), None)
