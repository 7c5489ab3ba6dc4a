"""What judges, and whether it is what judged before: models and policy, by their digests."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from inspection.config import Policy
from inspection.messages import Message
from inspection.modelstore.catalogue import SYSTEM_SLOTS
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.installed import MODEL_NAME
from inspection.results import JudgedBy, ModelProvenance, SystemName

_OF_THE_SITE = ("classes", "lot", "vlm", "vlg")
"""What a site sets of judging, beside what is in the policy; who works there judges nothing."""
_OPTIONAL = "ct_ae"
"""The one model that a system judges with or without."""


def policy_digest(policy: Policy) -> str:
    """Return the SHA-256 of what judges in a policy, and in what the site sets.

    The paths that it was read from are left out: the same policy judges the same anywhere.
    """
    snapshot = policy.snapshot()
    site = snapshot.get("site")
    settings = site["settings"] if isinstance(site, Mapping) else {}
    judging = {
        "inspector": snapshot["inspector"],
        "gate": snapshot["gate"],
        "site": {name: settings[name] for name in _OF_THE_SITE if name in settings},
    }
    canonical = json.dumps(judging, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def installed_digests(models: ModelFolders, systems: Iterable[SystemName]) -> dict[str, str]:
    """Return the digest that each installed model of some systems has by its description.

    Whether the files are what the description says is found out where they are loaded.
    """
    # The window imports plans before it is painted, and need not wait for numpy.
    from inspection.modelstore.bundle import MANIFEST_NAME

    digests = {}
    for slot in (slot for system in systems for slot in SYSTEM_SLOTS[system]):
        for name in (MANIFEST_NAME, MODEL_NAME):
            try:
                digest = json.loads((models.holding(slot) / slot / name).read_bytes())["sha256"]
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                # A model that is missing or damaged judges nothing, and is told when it is loaded.
                continue
            digests[slot] = str(digest)
    return digests


def other_judges(
    before: Iterable[Mapping[SystemName, JudgedBy]],
    recorded: Sequence[ModelProvenance],
    policy: Policy,
    models: ModelFolders,
    systems: Collection[SystemName],
) -> tuple[Message, ...]:
    """Return what would judge the rest of a session that is not what judged before.

    Parameters
    ----------
    before : by battery, what the systems that have spoken judged with
    recorded : the session's models, which count for batteries from before they told their own
    policy : that will judge
    models : where the models are
    systems : that have batteries left
    """
    known: dict[str, set[str]] = defaultdict(set)
    policies: set[str] = set()
    for battery in before:
        for system, judge in battery.items():
            policies.add(judge.policy)
            for slot, digest in judge.models.items():
                known[slot].add(digest)
            if system == "ensemble":
                known[_OPTIONAL].add(judge.models.get(_OPTIONAL, ""))
    for slot in {model.slot for model in recorded}.difference(known):
        known[slot].update(model.sha256 for model in recorded if model.slot == slot)
    present = installed_digests(models, systems)
    if "ensemble" in systems and (not policy.inspector.ct_autoencoder or _OPTIONAL not in present):
        present[_OPTIONAL] = ""
    others = [slot for slot, digest in present.items() if known.get(slot, {digest}) != {digest}]
    found = []
    if others:
        found.append(Message(code="session_other_models", params={"slots": ", ".join(others)}))
    if policies - {policy_digest(policy)}:
        found.append(Message(code="session_other_policy"))
    return tuple(found)
