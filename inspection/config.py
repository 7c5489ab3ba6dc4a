"""Typed configuration of the station: one model per YAML file, unknown keys refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
)

from inspection.config_mistakes import config_error
from inspection.messages import Language
from inspection.paths import config_path
from inspection.results import FusionMethod
from inspection.site import current_site, merged
from inspection.yaml_file import read_yaml

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
# At 1 no probability is above it and at 0 every slice is: neither tells anything apart.
SliceThreshold = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]
# There are two languages, so two entries are one in each.
GreySetting = Literal["auto", "dtype"] | tuple[float, float]
"""``auto``: found in the stack; ``dtype``: as the file's type says; else the stored values that
are shown as 0 and as 255."""
Fingerprint = Annotated[str, Field(pattern=r"^SHA256:[0-9a-f]{64}$")]
Words = Annotated[dict[Language, str], Field(min_length=2)]


class Config(BaseModel):
    """Base of every configuration: frozen, and refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WeightedAverage(Config):
    """Fused score = w_cnn * cnn_prob + w_ae * ae_score."""

    w_cnn: Fraction = 0.6
    w_ae: Fraction = 0.4
    threshold: Fraction = 0.5


class Voting(Config):
    """Each channel votes; the tie breaker decides where they disagree."""

    cnn_threshold: Fraction = 0.5
    ae_threshold_multiplier: Positive = 1.0
    tie_breaker: Literal["cnn", "ae", "uncertain"] = "cnn"


class RuleBased(Config):
    """A sure CT classifier decides alone, else a sure autoencoder, else the fallback."""

    high_confidence_cnn: Fraction = 0.8
    low_confidence_cnn: Fraction = 0.3
    ae_multiplier_high: Positive = 1.2
    ae_multiplier_low: Positive = 0.8
    fallback_method: Literal["weighted_average", "voting"] = "weighted_average"


class Aggregation(Config):
    """From images to a battery."""

    slice_threshold: SliceThreshold = 0.5
    min_run: int = Field(default=3, ge=1)
    top_k_views: int = Field(default=1, ge=1)
    evidence_slices: int = Field(default=3, ge=1)
    evidence_views: int = Field(default=3, ge=1)


class Sampling(Config):
    """Which images of a battery the VLM and the VLG look at.

    Parameters
    ----------
    images_per_battery : in all, shared between the modalities
    worst_per_modality : of these, the ensemble's worst; the rest are evenly spaced
    wait_seconds : how long the ensemble's word is waited for; without it, all are evenly spaced
    """

    images_per_battery: int = Field(default=4, ge=1, le=64)
    worst_per_modality: int = Field(default=1, ge=0)
    wait_seconds: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 30.0


class InspectorConfig(Config):
    """``configs/inspector.yaml``: the fusion policy.

    Parameters
    ----------
    ct_autoencoder : ask the CT autoencoder too, where one is installed
    """

    method: FusionMethod = "weighted_average"
    weighted_average: WeightedAverage = WeightedAverage()
    voting: Voting = Voting()
    rule_based: RuleBased = RuleBased()
    aggregation: Aggregation = Aggregation()
    ct_autoencoder: bool = True
    sampling: Sampling = Sampling()
    grey_window: GreySetting = "auto"

    @field_validator("grey_window")
    @classmethod
    def _upright(cls, value: GreySetting) -> GreySetting:
        if not isinstance(value, str) and value[0] >= value[1]:
            raise ValueError("the first value has to be below the second")
        return value


class Check(Config):
    """A check of the gate: whether it is made, and where it fails; the file says in what."""

    enabled: bool = True
    limit: Positive


class GateConfig(Config):
    """``configs/gate.yaml``: what is looked at before a verdict."""

    flat: Check = Check(limit=2.0)
    saturated: Check = Check(limit=0.4)
    tiny: Check = Check(limit=32.0)
    blurred: Check = Check(limit=0.85)
    unlike: Check = Check(limit=1.0)
    strange: Check = Check(limit=1.0)
    contradicting: Check = Check(limit=0.25)
    identical: Check = Check(limit=3.0)
    fewer: Check = Check(limit=0.5)
    resized: Check = Check(limit=2.0)
    brightness: Check = Check(limit=60.0)
    copied: Check = Check(limit=3.0)

    @classmethod
    def off(cls) -> GateConfig:
        """Return a gate that everything passes."""
        shut = {name: check.default.model_copy(update={"enabled": False})
                for name, check in cls.model_fields.items()}  # fmt: skip
        return cls(**shut)


class EvidenceRule(Config):
    """How long evidence pictures are kept; verdicts, decisions and chains are kept for ever.

    Parameters
    ----------
    max_days : pictures of older sessions go; None: none for its age
    max_gib : the oldest go where there are more together; None: any amount stays
    notice_days : how long before it happens it is told
    """

    max_days: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    max_gib: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    notice_days: float = Field(default=7.0, ge=0.0, allow_inf_nan=False)


class KeepingConfig(Config):
    """``configs/keeping.yaml``: who else reads the sessions, and whose seals count.

    Parameters
    ----------
    group : of the system, whose members may read sessions; None: the station's account alone
    trusted_keys : fingerprints of the keys whose seals count; empty: the station's own
    evidence : how long evidence pictures are kept
    """

    group: str | None = Field(default=None, min_length=1)
    trusted_keys: tuple[Fingerprint, ...] = ()
    evidence: EvidenceRule = EvidenceRule()


SECTION = "inspector"
INSPECTOR_NAME = f"{SECTION}.yaml"
GATE_SECTION = "gate"
GATE_NAME = f"{GATE_SECTION}.yaml"
KEEPING_SECTION = "keeping"
KEEPING_NAME = f"{KEEPING_SECTION}.yaml"


@dataclass(frozen=True, slots=True)
class Policy:
    """A fusion policy and the file that it is from, and the gate before it."""

    inspector: InspectorConfig
    path: Path
    gate: GateConfig = field(default_factory=GateConfig)

    def snapshot(self) -> dict[str, object]:
        """Return what a session keeps of it, and of what the site sets."""
        content: dict[str, object] = self.inspector.model_dump(mode="json")
        site = current_site()
        gate = self.gate.model_dump(mode="json")
        kept = {"inspector": content, "inspector_from": str(self.path), GATE_SECTION: gate}
        return kept | (site.snapshot() if site else {})


def policy_of(config: Mapping[str, object], fallback: Policy) -> Policy:
    """Return the policy that a session was begun with, from the ``config`` it recorded.

    A session that goes on under another policy would hold verdicts that cannot be compared.

    Parameters
    ----------
    config : of the session; empty where it was rebuilt after damage
    fallback : what counts where the session recorded none

    Raises
    ------
    ConfigError
        If what was recorded is no policy that this program knows.
    """
    if "inspector" not in config:
        return fallback
    source = str(config.get("inspector_from", INSPECTOR_NAME))
    try:
        inspector = InspectorConfig.model_validate(config["inspector"])
        # A session from before the gate goes on with it: it can only ask for a second look.
        recorded = config.get(GATE_SECTION)
        gate = fallback.gate if recorded is None else GateConfig.model_validate(recorded)
        return Policy(inspector, Path(source), gate)
    except ValidationError as error:
        raise config_error(error, "session.json") from error


C = TypeVar("C", bound=BaseModel)
S = TypeVar("S")


def load_config(path: Path, model: type[C], section: str | None = None) -> C:
    """Return a YAML file as ``model``.

    Parameters
    ----------
    section : of ``site.yaml``, whose settings lie over the file's where a site has any; the file
        holds them under this key, or holds nothing else

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or has an unknown or wrong key; names the key, and the
        file that it is in.
    """
    content, site = read_yaml(path), current_site() if section else None
    above = site.settings.get(section) if site and section else None
    nested = isinstance(content, dict) and section in content
    if above is not None:
        content = merged(content, {section: above} if nested else above)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        source = None
        if site and section and above is not None:
            source = site.source_of(place if nested else (section, *place))
        raise config_error(error, str(source) if source else path.name, schema=model) from error


def load_section(path: Path, kind: type[S], section: str, *, with_site: bool = False) -> S:
    """Return what a YAML file holds under a key, the only one that it has.

    Parameters
    ----------
    with_site : what the site sets under the same key lies over it

    Raises
    ------
    ConfigError
        As `load_config`.
    """
    fields: dict[str, Any] = {section: (kind, ...)}
    whole = create_model(section, __base__=Config, **fields)
    found: S = getattr(load_config(path, whole, section if with_site else None), section)
    return found


def load_inspector(path: Path | None = None) -> InspectorConfig:
    """Return a file's fusion policy; by default the installed one, and what the site sets."""
    file = path or config_path(INSPECTOR_NAME)
    return load_section(file, InspectorConfig, SECTION, with_site=path is None)


def load_gate() -> GateConfig:
    """Return the installed gate, and what the site sets."""
    return load_section(config_path(GATE_NAME), GateConfig, GATE_SECTION, with_site=True)


def load_keeping() -> KeepingConfig:
    """Return how sessions are kept, and what the site sets."""
    file = config_path(KEEPING_NAME)
    return load_section(file, KeepingConfig, KEEPING_SECTION, with_site=True)


def find_policy(models_dir: Path) -> Policy:
    """Return the fusion policy of a models folder, else the installed one.

    The one that lies beside the models was found for them, and goes before
    ``configs/inspector.yaml``. It counts as a whole: keys it leaves out have the schema's defaults.
    What a site sets goes before either.

    Raises
    ------
    ConfigError
        If the file that counts is malformed or cannot be read; the other one never stands in.
    """
    beside = models_dir / INSPECTOR_NAME
    path = beside if beside.exists() else config_path(INSPECTOR_NAME)
    inspector = load_section(path, InspectorConfig, SECTION, with_site=True)
    site = current_site()
    return Policy(inspector, (site and site.source_of([SECTION])) or path, load_gate())
