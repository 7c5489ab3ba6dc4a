"""A configuration of the VLM's training that is over in seconds, a lot for it, and its teacher."""

from __future__ import annotations

from pathlib import Path

from inspection.paths import config_path
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.vlm.config import Prompts, load_vlm_config
from training.config import read_training_config
from training.vlm.config import DemoVlmConfig
from training.vlm.lessons import Teacher
from training.vlm.tokenizer import learn_tokenizer

TINY = (
    "architecture.vision={width: 32, depth: 1, heads: 1}",
    "architecture.text={width: 32, depth: 2, heads: 2, key_value_heads: 1, intermediate: 32,"
    " looked_at: 1}",
    "architecture.min_pixels=12544",
    "architecture.max_pixels=37632",
    "imagined={epochs: 1, steps: 2, batch_size: 4, judged: 16}",
    "warmup={epochs: 1, steps: 2, batch_size: 4, side: 56}",
    "training.epochs=2",
    "training.steps=2",
    "training.batch_size=4",
    "training.judged=6",
    "training.precision=float32",
)


def tiny_config(*overrides: str) -> DemoVlmConfig:
    config = read_training_config(config_path("demo_vlm.yaml"), [*TINY, *overrides])
    assert isinstance(config, DemoVlmConfig)
    return config


def tiny_lot(folder: Path) -> Path:
    spec = SyntheticLot(batteries=6, slices=3, views=2, canvas=128, seed=5, defects=0.7)
    return write_lot(folder, spec)


def tiny_teacher() -> Teacher:
    prompts = Prompts(load_vlm_config(), "token_thousandths")
    questions = [prompts.of(m, n) for m in ("ct", "rgb") for n in ("en", "ko")]
    return Teacher(learn_tokenizer(questions, 4096), tiny_config().architecture, prompts)
