"""GroundingDINO through the true code: two backends, one answer, and nothing but whole weights."""

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from builders.tiny_vlg import (
    ARCHITECTURE,
    random_weights,
    write_bert,
    write_original,
    write_transformers,
)
from safetensors.torch import load_file, save_file

from inspection.errors import BundleError, ImageError
from inspection.images.preprocess import ImageData
from inspection.modelstore import vlg_folder
from inspection.modelstore.vlg_folder import PUBLISHED, read_vlg_folder
from inspection.records import Rect
from inspection.systems.vlg.config import load_vlg_config
from inspection.systems.vlg.model import VlgPredictor
from inspection.systems.vlg.original import build

CONFIG = load_vlg_config()
LIMITS = CONFIG.limits.model_copy(
    update={"short_side": 128, "long_side": 200, "floor_short_side": 64}
)
PHRASES = CONFIG.phrases("ct")
TYPES = CONFIG.defect_types("ct", "module")


APART = {"nms_iou": 1.0, "spot_iou": 1.0, "spot_containment": 1.0}
"""So that nothing is taken for the same spot."""


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert") / "bert")


@pytest.fixture(scope="module")
def original(tmp_path_factory, bert) -> Path:
    return write_original(tmp_path_factory.mktemp("original") / "vlg", bert)


@pytest.fixture(scope="module")
def converted(tmp_path_factory, bert) -> Path:
    return write_transformers(tmp_path_factory.mktemp("transformers") / "vlg", bert)


@pytest.fixture(scope="module")
def predictor(original, bert) -> VlgPredictor:
    return VlgPredictor(read_vlg_folder(original, "groundingdino"), bert, "cpu")


def image(height=300, width=400, channels=3, seed=0) -> ImageData:
    shape = (height, width, channels) if channels == 3 else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    return ImageData(pixels, Rect(0, 0, 2 * width, 2 * height), (2 * width, 2 * height))


def raw(predictor, shown=None, phrases=PHRASES, cancel=None):
    return predictor.raw(shown or image(), phrases, LIMITS, cancel=cancel or threading.Event())


def detect(predictor, shown=None, phrases=PHRASES, cancel=None, **limits):
    return predictor.detect(
        shown or image(),
        phrases,
        TYPES,
        LIMITS.model_copy(update=limits),
        cancel=cancel or threading.Event(),
    )


def refusal(folder: Path, family: str, bert: Path | None = None) -> str:
    with pytest.raises(BundleError) as caught:
        VlgPredictor(read_vlg_folder(folder, family), bert, "cpu")
    return caught.value.text()


def copy_of(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def changed(folder: Path, change) -> Path:
    """Change the weights of a folder."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_both_backends_find_the_same(original, converted, bert, no_network, capsys):
    makers = VlgPredictor(read_vlg_folder(original, "groundingdino"), bert, "cpu")
    hugging = VlgPredictor(read_vlg_folder(converted, "grounding-dino"), None, "cpu")
    for seed, size in enumerate([(300, 400), (400, 300), (131, 257)]):
        shown = image(*size, seed=seed)
        one, other = (raw(p, shown) for p in (makers, hugging))
        assert len(one) == len(other) == 1
        assert one[0].spans == other[0].spans
        assert np.ptp(one[0].probabilities) > 0.5
        np.testing.assert_allclose(one[0].probabilities, other[0].probabilities, atol=1e-4)
        np.testing.assert_allclose(one[0].boxes, other[0].boxes, atol=1e-4)
    first, second = detect(makers), detect(hugging)
    assert first
    assert [(d.phrase, d.defect_type) for d in first] == [(d.phrase, d.defect_type) for d in second]
    np.testing.assert_allclose([d.score for d in first], [d.score for d in second], atol=1e-4)
    # Neither library may write into what `--json` prints.
    assert capsys.readouterr().out == ""


def test_the_same_image_gets_the_same_boxes(predictor):
    assert detect(predictor) == detect(predictor)


def test_a_grey_image_counts_as_a_colour_image_of_equal_channels(predictor):
    grey = image(channels=1)
    colour = ImageData(np.stack([grey.pixels] * 3, axis=2), grey.roi, grey.source_size)
    assert detect(predictor, grey) == detect(predictor, colour)


def test_no_compiled_extension_is_needed(predictor):
    assert importlib.util.find_spec("groundingdino._C") is None
    assert detect(predictor)


def test_thresholds_are_obeyed(predictor):
    every = detect(predictor, box_threshold=0.0, text_threshold=0.0, **APART)
    sure = detect(predictor, box_threshold=0.5, **APART)
    assert len(every) == ARCHITECTURE.queries > len(sure) > 0
    assert all(detection.score >= 0.5 for detection in sure)
    assert detect(predictor, box_threshold=1.0) == []
    assert len(detect(predictor, max_boxes=1)) == 1


def test_phrases_that_fit_no_caption_are_looked_for_in_several(predictor):
    many = tuple(f"pore {'void ' * n}dust" for n in range(40))
    passes = raw(predictor, phrases=many)
    assert len(passes) > 1
    assert [phrase for answer in passes for phrase in answer.spans] == list(many)
    for answer in passes:
        assert max(max(tokens) for tokens in answer.spans.values()) < 255


def test_a_cancel_stops_before_the_next_pass(predictor):
    cancel = threading.Event()
    cancel.set()
    assert raw(predictor, cancel=cancel) == []
    assert detect(predictor, cancel=cancel) == []


def test_an_image_that_leaves_no_place_for_the_boxes_is_refused(predictor):
    with pytest.raises(ImageError, match="too narrow"):
        detect(predictor, image(height=2, width=4000), long_side=32)


def test_the_detector_is_the_packages_own(original, bert):
    """The modules that are put together here, against what the package's constructor makes."""
    ours = build(ARCHITECTURE, bert)
    from groundingdino.config import GroundingDINO_SwinT_OGC as published
    from groundingdino.models.GroundingDINO.backbone.backbone import Joiner
    from groundingdino.models.GroundingDINO.backbone.position_encoding import (
        build_position_encoding,
    )
    from groundingdino.models.GroundingDINO.backbone.swin_transformer import SwinTransformer
    from groundingdino.models.GroundingDINO.groundingdino import GroundingDINO
    from groundingdino.models.GroundingDINO.transformer import build_transformer

    numbers = SimpleNamespace(**{
        **vars(published), "enc_layers": 2, "dec_layers": 2, "dim_feedforward": 64, "nheads": 4,
        "num_queries": 12, "use_checkpoint": False, "use_transformer_ckpt": False,
    })  # fmt: skip
    swin = SwinTransformer(**ARCHITECTURE.swin.model_dump(), out_indices=(1, 2, 3))
    backbone = Joiner(swin, build_position_encoding(numbers))
    backbone.num_channels = swin.num_features[1:]
    theirs = GroundingDINO(
        backbone, build_transformer(numbers), num_queries=12, iter_update=True, query_dim=4,
        num_feature_levels=4, nheads=4, two_stage_type="standard",
        two_stage_bbox_embed_share=False, two_stage_class_embed_share=False, num_patterns=0,
        text_encoder_type=str(bert),
    )  # fmt: skip
    weights = load_file(original / "model.safetensors")
    theirs.load_state_dict(weights)
    ours.load_state_dict(weights)
    pixels = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, other = (m.eval()(pixels, captions=["pore. gas bubble."]) for m in (ours, theirs))
    assert torch.equal(one["pred_logits"], other["pred_logits"])
    assert torch.equal(one["pred_boxes"], other["pred_boxes"])


@pytest.mark.parametrize(
    ("family", "module"),
    [
        ("groundingdino_swint_ogc", "GroundingDINO_SwinT_OGC"),
        ("groundingdino_swinb_cogcoor", "GroundingDINO_SwinB_cfg"),
    ],
)
def test_the_published_numbers_are_the_packages(family, module):
    published = importlib.import_module(f"groundingdino.config.{module}")
    swin = {
        "swin_T_224_1k": {"embed_dim": 96, "depths": (2, 2, 6, 2), "window_size": 7,
                          "num_heads": (3, 6, 12, 24)},
        "swin_B_384_22k": {"embed_dim": 128, "depths": (2, 2, 18, 2), "window_size": 12,
                           "num_heads": (4, 8, 16, 32)},
    }[published.backbone]  # fmt: skip
    ours = PUBLISHED[family]
    assert ours.swin.model_dump() == swin
    assert (ours.encoder_layers, ours.decoder_layers, ours.feedforward, ours.heads) == (
        published.enc_layers, published.dec_layers, published.dim_feedforward, published.nheads,
    )  # fmt: skip
    assert ours.queries == published.num_queries
    assert (published.hidden_dim, published.max_text_len) == (256, 256)


@pytest.fixture
def checkpoint(tmp_path, bert, monkeypatch) -> tuple[Path, dict]:
    """A folder for the makers' own checkpoint, small, and what belongs into it."""
    monkeypatch.setitem(vlg_folder.PUBLISHED, "groundingdino_swint_ogc", ARCHITECTURE)
    weights = {f"module.{name}": t for name, t in random_weights(bert).items()}
    return tmp_path / "groundingdino_swint_ogc.pth", weights


def test_a_checkpoint_of_the_makers_is_loaded(checkpoint, predictor, bert, no_network):
    path, weights = checkpoint
    # Both are in the published ones.
    weights["module.label_enc.weight"] = torch.zeros(2001, 256)
    weights["module.bert.embeddings.position_ids"] = torch.arange(512)[None]
    torch.save({"model": weights}, path)
    folder = read_vlg_folder(path.parent, "groundingdino_swint_ogc")
    assert detect(VlgPredictor(folder, bert, "cpu")) == detect(predictor)


class _Code:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (lambda w: {"model": {**w, "code": _Code()}}, "cannot be loaded"),
        (lambda w: {"weights": w}, "holds no weights"),
        (lambda w: {"model": {**w, "module.extra": torch.zeros(1)}}, "unknown, such as extra"),
        (lambda w: {"model": {k: t for k, t in w.items() if "feat_map" not in k}},
         "2 weights are missing"),
        (lambda w: {"model": {**w, "module.feat_map.bias": torch.zeros(3)}}, "feat_map.bias"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_is_not_whole_is_refused(checkpoint, bert, content, word, capsys):
    path, weights = checkpoint
    torch.save(content(weights), path)
    assert word in refusal(path.parent, "groundingdino_swint_ogc", bert)
    assert capsys.readouterr().out == ""


def test_a_damaged_checkpoint_is_refused(checkpoint, bert):
    path, _ = checkpoint
    path.write_bytes(b"not a checkpoint")
    assert "cannot be loaded" in refusal(path.parent, "groundingdino_swint_ogc", bert)


@pytest.mark.parametrize("family", ["groundingdino", "grounding-dino"])
def test_weights_that_are_missing_or_unknown_are_refused(
    tmp_path, original, converted, bert, family
):
    source = original if family == "groundingdino" else converted
    name = "feat_map.bias" if family == "groundingdino" else "model.text_projection.bias"
    lacking = changed(copy_of(source, tmp_path / "lacking"), lambda w: w.pop(name))
    assert f"missing, such as {name}" in refusal(lacking, family, bert)
    strange = copy_of(source, tmp_path / "strange")
    changed(strange, lambda w: w.update(strange=torch.zeros(1)))
    assert "unknown, such as strange" in refusal(strange, family, bert)


@pytest.mark.parametrize("family", ["groundingdino", "grounding-dino"])
def test_damaged_weights_are_refused(tmp_path, original, converted, bert, family):
    source = original if family == "groundingdino" else converted
    folder = copy_of(source, tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"\x00" * 64)
    assert "cannot be loaded" in refusal(folder, family, bert)


def test_a_text_encoder_that_cannot_be_read_is_refused(tmp_path, original, bert):
    for name in ("config.json", "tokenizer.json"):
        broken = copy_of(bert, tmp_path / name)
        (broken / name).write_text("{", encoding="utf-8")
        assert "cannot be read" in refusal(original, "groundingdino", broken)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "cannot be read"),
        (json.dumps({"swin": {"embed_dim": 16}}), "depths"),
        (json.dumps({**ARCHITECTURE.model_dump(), "code": "print()"}), "code"),
        (json.dumps({**ARCHITECTURE.model_dump(), "queries": 10**9}), "queries"),
    ],
)
def test_an_architecture_that_makes_no_sense_is_refused(tmp_path, original, content, word):
    folder = copy_of(original, tmp_path / "vlg")
    (folder / "architecture.json").write_text(content, encoding="utf-8")
    assert word in refusal(folder, "groundingdino")


def test_what_is_not_there_is_named(tmp_path, converted):
    (tmp_path / "vlg").mkdir()
    for family, name in (
        ("groundingdino_swinb_cogcoor", "groundingdino_swinb_cogcoor.pth"),
        ("groundingdino", "architecture.json"),
        ("grounding-dino", "config.json"),
    ):
        assert name in refusal(tmp_path / "vlg", family)
    assert "florence2" in refusal(converted, "florence2")


def test_memory_is_estimated_from_sizes_alone(tmp_path):
    (tmp_path / "groundingdino_swint_ogc.pth").write_bytes(b"\x00" * 1000)
    folder = read_vlg_folder(tmp_path, "groundingdino_swint_ogc")
    full, half = folder.bytes_needed(800 * 1333), folder.bytes_needed(566 * 943)
    assert 1 << 30 < full < 4 << 30
    assert half < full


def test_nothing_heavy_is_imported_before_a_model_is_loaded():
    check = (
        "import sys, inspection.run.lanes; "
        "sys.exit(' '.join({'torch', 'transformers', 'groundingdino'} & set(sys.modules)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
