"""Configurations that are wrong, huge, or stand for more than they say.

The program's own files, and a site's, have a line changed to something that may be right there,
that hypothesis drew, or that YAML makes something odd of.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import yaml

from builders.hostile_texts import ENCODINGS, HUGE, as_bytes, say
from inspection.classes import load_classes
from inspection.config import find_policy, load_inspector
from inspection.lot.config import LotConfig, load_lot_config
from inspection.lot.scan import scan_lot
from inspection.modelstore.catalogue import load_catalogue
from inspection.paths import config_path, resource_path
from inspection.reasons import load_reasons
from inspection.site import SITE_NAME, SITE_VARIABLE, use_site
from inspection.systems.vlg.config import load_vlg_config
from inspection.systems.vlm.config import load_vlm_config

MOSTLY_PLAIN = (*("utf-8",) * 12, *ENCODINGS)
LOADERS: dict[str, Callable[[Path], object]] = {
    "inspector.yaml": load_inspector,
    "lot.yaml": load_lot_config,
    "classes.yaml": load_classes,
    "reasons.yaml": load_reasons,
    "vlm.yaml": load_vlm_config,
    "vlg.yaml": load_vlg_config,
    "models.yaml": load_catalogue,
}


def hostile_yaml(rng: Random, value: object) -> tuple[str, str, bytes]:
    """Return how a configuration was made, its file's name, and its bytes."""
    name = rng.choice([*LOADERS, SITE_NAME])
    own = config_path(name).read_text(encoding="utf-8") if name != SITE_NAME else _SITE
    lines = own.splitlines()
    places = [n for n, line in enumerate(lines) if re.match(r"\s*(- )?[\w\"]+:", line)]
    if rng.random() < 0.35:
        how, make = rng.choice(list(_YAML_EXTREMES.items()))
        section = own.partition(":")[0].splitlines()[-1]
        return how, name, as_bytes(rng, how, make(section), MOSTLY_PLAIN)[1]
    how = "a value of its own"
    # One line in two is a number or a word that may well be right there.
    for _ in range(rng.choice((0, 1, 1, 2))):
        likely = [place for place in places if not lines[place].endswith(("|", ":"))]
        at = rng.choice(likely or places)
        key = lines[at].split(":")[0]
        said = rng.choice(_WILD_YAML)
        chance = rng.random()
        if chance < 0.4:
            said = rng.choice(_LIKELY_YAML)
        elif chance < 0.7:
            said = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).strip()
            how = "a drawn value"
        lines[at] = rng.choice(
            (f"{key}: {said}", f"{key}: {said}", f"{lines[at]}\n{key}: {said}", said)
        )
    how, data = as_bytes(rng, how, "\n".join(lines), MOSTLY_PLAIN)
    return how, name, data


_SITE = """\
recipe: night
inspector:
  method: voting
  grey_window: [100, 4000]
lot:
  patterns:
    - {name: line, regex: "(?P<battery>B[0-9]+)/(?P<modality>ct|rgb)/(?P<number>[0-9]+)[.]jpg"}
vlm:
  limits: {}
"""
_WILD_YAML = (
    HUGE, f"0x{'f' * 4000}", "1e999", "-.inf", ".nan", "2026-99-99",
    "2001-12-14t21:59:43.10-99:99",
    "!!binary gIGC", "!!binary '====='", "!!python/object/apply:os.system ['true']",
    "!!set {a, b}",
    "!!timestamp x", "!!int x", "!!float x", "!!bool perhaps", "!!omap [a: 1]", "!unknown 1",
    "&a *a",
    "*nowhere", "? [a, b] : c", "{? {a: b} : c}", "<<: 1", "<<: [*a]", "190:20:30:61:99",
    "0o9", "~",
    "'", '"\\ud800"', '"\\x00"', "\t- a", "[" * 500, "{" * 500, "- - - - a", "|9\n x",
    "%YAML 9.9", "---",
    "0.5 # ", "=", "@", "`", "(?P<battery>(a|aa)+)$", "(", "x" * 3000, "no", "1_000", "1:1",
    "\ufeff",
)  # fmt: skip
_LIKELY_YAML = (
    "0.3", "1", "2", "[100, 4000]", "auto", "dtype", "voting", "true", "{}", "[]", "night",
    "시험", "0.0",
    "1.0", "1e-3", "64", "100000", "[4000, 100]", "null", "{en: a, ko: 가}", "-0.5",
)  # fmt: skip
_YAML_EXTREMES: dict[str, Callable[[str], str]] = {
    "aliases of aliases": lambda key: (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
            for a, b in zip("abcdefghi", "bcdefghij", strict=True)
        )
        + f"{key}: *j\n"
    ),
    "merged keys": lambda key: (
        "a: &a {x: 1}\n"
        + "".join(
            f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n"
            for a, b in zip("abcdef", "bcdefg", strict=True)
        )
        + f"{key}: {{<<: *g}}\n"
    ),
    "itself": lambda key: f"{key}: &a [*a, {{b: *a}}]\n",
    "deep lists": lambda key: f"{key}: " + "[" * 20_000 + "]" * 20_000,
    "deep mappings": lambda key: "".join(" " * n + f"{key}:\n" for n in range(3000)),
    "one long line": lambda key: f"{key}: {'x' * 900_000}\n",
    "two megabytes": lambda key: f"{key}: 1\n" + "# comment\n" * 220_000,
    "many keys": lambda key: f"{key}:\n" + "".join(f"  k{n}: {n}\n" for n in range(60_000)),
    "a key twice": lambda key: f"{key}: {{}}\n{key}: {{}}\n",
    "two documents": lambda key: f"{key}: {{}}\n---\n{key}: {{}}\n",
    "a list": lambda _key: "- 1\n- 2\n",
    "nothing": lambda _key: "",
    "keys that are none": lambda key: f"{key}: {{1: 2, 2026-01-01: 3, null: 4, 1.5: 5, [a]: 6}}\n",
    "numbers": lambda key: f"{key}: {HUGE}\n1: 2\n",
    "control characters": lambda key: f"{key}: \x07\x1b[31m\n",
}


def look_at_yaml(path: Path) -> None:
    """Load a configuration as the station does."""
    if path.name != SITE_NAME:
        found = LOADERS[path.name](path)
        if path.name == "lot.yaml":
            assert isinstance(found, LotConfig)
            _match_names(path.parent, found)
        return
    before = os.environ.get(SITE_VARIABLE)
    try:
        use_site(path.parent)
        find_policy(resource_path("models"))
        load_vlm_config()
        load_vlg_config()
        _match_names(path.parent, load_lot_config())
    finally:
        if before is None:
            os.environ.pop(SITE_VARIABLE, None)
        else:
            os.environ[SITE_VARIABLE] = before


def _match_names(folder: Path, config: LotConfig) -> None:
    root = folder / "lot"
    for name in ("B12/ct/3.jpg", f"{'a' * 60}/rgb/4.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    say(finding.reason for finding in scan_lot(root, config).findings)
