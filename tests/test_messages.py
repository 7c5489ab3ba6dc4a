"""The one store of words: whole, without leftovers, and the same in both languages."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import NamedTuple, get_args

import yaml

from app.cli.log import DETAILS, WORDED
from app.cli.self_test import STEPS
from inspection import errors
from inspection.classes import class_table
from inspection.config import GateConfig
from inspection.messages import Message, korean_by_english, wordings
from inspection.modelstore.folders import SLOTS
from inspection.modelstore.installed import FOLDER_SLOTS
from inspection.modelstore.release_records import Unit
from inspection.paths import config_path
from inspection.people.person import Role
from inspection.results import ChannelState, Judgement, Kind, StackGrey, SystemName, SystemState
from inspection.seals.log import Event
from inspection.session.record import Meaning, SessionStatus

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "inspection", "training")
SAID = {
    "kind": get_args(Kind),
    "judgement": get_args(Judgement),
    "channel": get_args(ChannelState),
    "decision": ("accept", "decide", "override", "none"),
    "system": get_args(SystemName),
    "state": get_args(SystemState),
    "comparison_state": set(get_args(SystemState)) - {"done"},
    "status": get_args(SessionStatus),
    "role": get_args(Role),
    "log": get_args(Event),
    "log_detail": DETAILS,
    "log_value": {"yes", "no"}.union(*WORDED.values()),
    "meaning": get_args(Meaning),
    "grey_window": get_args(StackGrey.model_fields["method"].annotation),
    "slot": (*SLOTS, *FOLDER_SLOTS),
    "gate_check": tuple(GateConfig.model_fields),
    "release_figure": ("escapes", "overkills", "f1", "gate_stops"),
    "release_unit": get_args(Unit),
    "self_test": [step.__name__ for step in STEPS],
    "report_severity": {row.severity for row in class_table().rows.values()},
    # A class that came later is worded by its name.
    "fusion_ct": [n for n in class_table().ct_defects if f"fusion_ct_{n}" in wordings()],
}
"""By the first part of a code, the values that are said by ``f"{first}_{value}"``."""
SHORT = {"report_": ("inspection/report", "app/cli"), "evaluation_": ("training",)}
"""Prefixes that a report's words are asked for without, and where they are asked for."""
IN_BOTH = re.compile(
    r"\{.*?\}|--?\w+|[a-z_]+\.\w+|(?:station|trainer) [a-z-]+|battery-station|\b[A-Z]{3,}\b"
)
"""What is the same in both languages: placeholders, options, names of files, commands."""
RAISERS = {n for n, c in vars(errors).items() if isinstance(c, type)} | {"DisplayError", "Message"}


class Source(NamedTuple):
    """What a source file says about codes and words."""

    path: str
    constants: frozenset[str]
    joined: frozenset[tuple[str, str]]
    """Start and end of each f-string."""
    codes: frozenset[str]
    short: frozenset[str]
    """What a report's words are asked for by."""
    window: frozenset[str]
    computed: frozenset[int]
    """Lines where the window is given words that are not written there."""


@cache
def sources() -> tuple[Source, ...]:
    """Read all sources. A function whose first parameter is ``code`` is handed codes."""
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    takers = RAISERS | {
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and "code" in [arg.arg for arg in node.args.args if arg.arg not in ("self", "cls")][:1]
    }
    return tuple(_read(path, tree, takers) for path, tree in trees.items())


def _read(path: Path, tree: ast.Module, takers: set[str]) -> Source:
    constants, joined, codes, short, window, computed = (set() for _ in range(6))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            constants.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            ends = (node.values[0], node.values[-1])
            joined.add(tuple(e.value if isinstance(e, ast.Constant) else "" for e in ends))
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in takers:
                given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "code")]
                codes |= {code for one in given for code in _constants(one) if "_" in code}
            if name == "words" and node.args:
                short |= _constants(node.args[0])
            place = {"tr": 0, "translate": 1}.get(name)
            if place is not None and path.is_relative_to(ROOT / "app") and len(node.args) > place:
                said = _constants(node.args[place])
                window |= said
                computed |= set() if said else {node.lineno}
    sets = (constants, joined, codes, short, window, computed)
    return Source(path.relative_to(ROOT).as_posix(), *map(frozenset, sets))


def _constants(node: ast.expr) -> set[str]:
    """Return the strings that an argument can be: one, or the two of ``a if b else c``."""
    if isinstance(node, ast.IfExp):
        return _constants(node.body) | _constants(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def is_asked_for(code: str) -> bool:
    """Say whether a source names a code, whole or put together of two parts."""
    return stands_in(sources(), code) or any(
        code.startswith(prefix)
        and stands_in(
            [source for source in sources() if source.path.startswith(folders)],
            code.removeprefix(prefix),
        )
        for prefix, folders in SHORT.items()
    )


@cache
def all_constants() -> frozenset[str]:
    return frozenset(constant for source in sources() for constant in source.constants)


def stands_in(places: Iterable[Source], word: str) -> bool:
    """Say whether one of these sources has a word, or an f-string around a string of the house."""
    return any(
        word in source.constants
        or any(
            len(start + end) > 3
            and start not in SHORT
            and len(word) > len(start + end)
            and word.startswith(start)
            and word.endswith(end)
            and word[len(start) : len(word) - len(end)] in all_constants()
            for start, end in source.joined
        )
        for source in places
    )


def entries() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield key and languages of each entry; the window's words are their own key."""
    for path in sorted(config_path("messages").glob("*.yaml")):
        for key, entry in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            yield key, {"en": key, "ko": entry} if isinstance(entry, str) else entry


def pairs() -> Iterator[tuple[str, str, str]]:
    """Yield key, English and Korean of everything that is said, hints too."""
    for key, entry in entries():
        yield key, entry["en"], entry["ko"]
        if "hint_en" in entry:
            yield f"{key} (hint)", entry["hint_en"], entry["hint_ko"]


def test_every_word_that_is_asked_for_is_there_and_no_other():
    said = {f"{first}_{value}" for first, values in SAID.items() for value in values}
    codes, words = set(wordings()), set(korean_by_english())
    names = Counter(
        key.value
        for path in config_path("messages").glob("*.yaml")
        for key, _ in yaml.compose(path.read_text(encoding="utf-8")).value
    )
    of_window = {key for key, _ in entries() if key not in codes}
    in_window = {text for source in sources() for text in source.window}
    wrong = {
        "twice": [key for key, count in names.items() if count > 1],
        "code without words": (said | {c for s in sources() for c in s.codes}) - codes,
        "words without wording": {
            f"{source.path}: {key}"
            for source in sources()
            for key in source.short
            if key not in codes
            and not any(
                f"{prefix}{key}" in codes
                for prefix, folders in SHORT.items()
                if source.path.startswith(folders)
            )
        },
        "code that nothing says": [
            code
            for code in codes - said
            # The help finds its words by the names of commands: tests/integration/test_help.py.
            if not code.startswith(("term_", "help_", "exit_")) and not is_asked_for(code)
        ],
        "window's English without Korean": in_window - words,
        "window's words that nothing says": of_window - in_window,
        "window's words that the engine has": of_window & {w["en"] for w in wordings().values()},
        "window's words computed, so that none can be found": [
            f"{source.path}:{line}"
            for source in sources()
            for line in source.computed
            if source.path != "app/wording.py"
        ],
    }
    found = [f"{what}: {one}" for what, all_of_it in wrong.items() for one in sorted(all_of_it)]
    assert not found, "\n".join(found)


def placeholders(sentence: str, language: str) -> set[str]:
    # A name that is stored in both languages has a placeholder for each.
    fields = (field for _, field, _, _ in Formatter().parse(sentence) if field)
    return {field.removesuffix(f"_{language}") for field in fields}


def test_both_languages_say_the_same():
    wrong = []
    korean_of: dict[str, dict[str, str]] = {}
    for key, english, korean in pairs():
        if not key.startswith("term_"):
            korean_of.setdefault(english.lower(), {}).setdefault(korean, key)
        words = re.sub(r"\{.*?\}", "", english)
        # A term such as VLM or SHA-256 is the same in both languages; a sentence never is.
        is_term = english == korean and " " not in words.strip()
        if not (re.search("[가-힣]", korean) or is_term or not re.search("[A-Za-z]{3}", words)):
            wrong.append(f"{key}: not in Korean")
        if placeholders(english, "en") != placeholders(korean, "ko"):
            wrong.append(f"{key}: other placeholders")
    wrong += [f"{english!r}: {found}" for english, found in korean_of.items() if len(found) > 1]
    wrong += [
        f"{key}: {sorted(entry)}"
        for key, entry in entries()
        if set(entry) not in ({"en", "ko"}, {"en", "ko", "hint_en", "hint_ko"})
    ]
    assert not wrong, "\n".join(wrong)


def test_the_glossarys_terms_are_used_in_every_sentence():
    terms = {
        wording["en"]: wording["ko"].split(" / ")
        for code, wording in wordings().items()
        if code.startswith("term_")
    }
    wrong = []
    for key, english, korean in pairs():
        words = IN_BOTH.sub("", english)
        wrong += [
            f"{key}: {term!r} is {' or '.join(wanted)}: {english!r}, {korean!r}"
            for term, wanted in terms.items()
            if re.search(rf"\b{term}(e?s)?\b", words, re.IGNORECASE)
            and not any(one in korean for one in wanted)
        ]
    classes = class_table().rows
    wrong += [
        f"fusion_ct_{name}: not the name {classes[name].name['ko']} of configs/classes.yaml"
        for name in SAID["fusion_ct"]
        if classes[name].name["ko"] not in wordings()[f"fusion_ct_{name}"]["ko"]
    ]
    wrong += [
        f"{name}: {words}"
        for name, row in classes.items()
        for words in (row.name, row.cause, row.action)
        if set(words) != {"en", "ko"} or not all(words.values())
    ]
    assert not wrong, "\n".join(wrong)


def test_an_error_reads_in_either_language_with_its_hint_and_survives_the_disk():
    error = errors.ConfigError("config_missing", name="inspector.yaml")
    assert str(error) == "The configuration file inspector.yaml is missing."
    assert error.text("ko").startswith("설정 파일 inspector.yaml")
    assert error.text("en").endswith("Restore it from the installation.")
    stored = error.message.model_dump_json()
    assert Message.model_validate_json(stored) == error.message


def test_a_message_of_an_older_version_reads_although_its_sentence_says_more_today():
    kept = Message.model_validate({"code": "config_unreadable", "params": {"name": "vlm.yaml"}})
    scored = Message(code="fusion_normal", params={"cnn_prob": 0.25})
    for language in ("en", "ko"):
        assert "vlm.yaml" in kept.text(language)
        assert "{" not in kept.text(language)
        assert "0.250" in scored.text(language)
        assert "–" in scored.text(language)
