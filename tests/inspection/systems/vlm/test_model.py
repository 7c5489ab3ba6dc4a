"""Small VLM folders of the true classes, loaded and asked the way real weights are."""

import itertools
import json
import shutil
import threading

import numpy as np
import pytest
from builders.tiny_vlm import CT_ANSWER, FAMILIES, RGB_ANSWER, write_tiny_vlm
from safetensors.numpy import load_file, save_file

from inspection.errors import BundleError
from inspection.modelstore.vlm_folder import VlmFolder, read_vlm_folder
from inspection.systems.vlm.config import Prompts, load_vlm_config
from inspection.systems.vlm.model import VlmPredictor

pytestmark = pytest.mark.usefixtures("no_network")

CONFIG = load_vlm_config()
LIMITS = CONFIG.limits.model_copy(
    update={"max_pixels": 112 * 112, "min_pixels": 56 * 56, "floor_pixels": 56 * 56}
)
GREY = np.random.default_rng(0).integers(0, 255, (90, 120), dtype=np.uint8)
COLOUR = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a maker of folders that writes each family once."""
    made = {}

    def folder(family):
        if family not in made:
            made[family] = write_tiny_vlm(tmp_path_factory.mktemp("모델") / family, family)
        return made[family]

    return folder


@pytest.fixture
def copied(written, tmp_path):
    """Return a folder that may be spoilt."""
    return shutil.copytree(written("qwen2_vl"), tmp_path / "vlm")


@pytest.fixture(scope="module")
def loaded(written):
    made = {}

    def predictor(family):
        if family not in made:
            made[family] = VlmPredictor(read_vlm_folder(written(family)), "cpu")
        return made[family]

    return predictor


@pytest.fixture(scope="module")
def qwen2(loaded):
    return loaded("qwen2_vl")


def prompt(predictor, modality="ct", language="en"):
    return Prompts(CONFIG, predictor.folder.family.scale).of(modality, language)


def ask(predictor, pixels=GREY, *, modality="ct", language="en", limits=LIMITS, **more):
    return predictor.answer(
        pixels, prompt(predictor, modality, language), limits,
        **{"cancel": threading.Event(), "on_text": lambda text: None, **more},
    )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_answers_from_its_folder(loaded, family):
    predictor = loaded(family)
    ct, rgb = ask(predictor), ask(predictor, COLOUR, modality="rgb")
    assert (ct.text, ct.finished) == (CT_ANSWER, True)
    assert (rgb.text, rgb.finished) == (RGB_ANSWER, True)
    assert ct.tokens > 10
    side = predictor.folder.config["vision_config"]["patch_size"] * 2
    assert ct.input_size[0] % side == ct.input_size[1] % side == 0


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_text_grows_and_shows_no_half_of_a_character(qwen2, language):
    told = []
    answer = ask(qwen2, language=language, on_text=told.append)
    assert len(told) > 10
    assert all(after.startswith(before) for before, after in itertools.pairwise(told))
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(told)
    # The end mark makes no text of its own.
    assert told[-1] == answer.text


def test_a_folder_that_asks_for_sampling_is_read_out_greedily(qwen2):
    published = json.loads((qwen2.folder.path / "generation_config.json").read_text("utf-8"))
    assert published["do_sample"] is True
    assert len({ask(qwen2).text for _ in range(3)}) == 1


def test_a_cancel_stops_before_the_next_token(qwen2):
    cancel, told = threading.Event(), []

    def stop_at_the_third(text):
        told.append(text)
        if len(told) == 3:
            cancel.set()

    answer = ask(qwen2, cancel=cancel, on_text=stop_at_the_third)
    assert len(told) == 3
    assert answer.tokens <= 6
    assert not answer.finished
    assert CT_ANSWER.startswith(answer.text)


def test_an_answer_ends_at_its_limits(qwen2):
    short = ask(qwen2, limits=LIMITS.model_copy(update={"max_new_tokens": 16}))
    assert (short.tokens, short.finished) == (16, False)
    hasty = ask(qwen2, limits=LIMITS.model_copy(update={"answer_seconds": 1e-9}))
    assert (hasty.tokens, hasty.finished) == (1, False)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(900, 1200), (60, 80), (30, 300)])
def test_the_model_sees_no_more_pixels_than_it_may(loaded, family, shape):
    short = LIMITS.model_copy(update={"max_new_tokens": 16})
    image = np.full(shape, 90, np.uint8)
    width, height = ask(loaded(family), image, limits=short).input_size
    assert width * height <= LIMITS.max_pixels
    if max(shape) < 4 * min(shape):
        assert LIMITS.min_pixels <= width * height
        assert width / height == pytest.approx(shape[1] / shape[0], rel=0.3)


def test_weights_in_shards_are_counted_and_loaded_as_one(written, tmp_path):
    whole = read_vlm_folder(written("qwen2_vl"))
    folder = shutil.copytree(whole.path, tmp_path / "vlm")
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {}
    for number in (1, 2):
        part = dict(list(tensors.items())[number - 1 :: 2])
        name = f"model-0000{number}-of-00002.safetensors"
        save_file(part, folder / name, metadata={"format": "pt"})
        places |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    sharded = read_vlm_folder(folder)
    assert sharded.parameters == whole.parameters
    assert ask(VlmPredictor(sharded, "cpu")).text == CT_ANSWER


# -- what is refused -------------------------------------------------------------------------


def refusal(folder):
    with pytest.raises(BundleError) as caught:
        VlmPredictor(read_vlm_folder(folder), "cpu")
    return caught.value.message


def edit(path, **changes):
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(content | changes), "utf-8")


def test_a_missing_weight_is_refused_rather_than_made_up(copied):
    path = copied / "model.safetensors"
    tensors = load_file(path)
    lost = tensors.pop("visual.merger.mlp.0.weight", None)
    assert lost is not None, sorted(tensors)
    save_file(tensors, path, metadata={"format": "pt"})
    message = refusal(copied)
    assert message.code == "vlm_not_loaded"
    assert "1 weights are missing" in message.text("en")


def test_a_weight_of_another_shape_is_refused(copied):
    path = copied / "model.safetensors"
    tensors = load_file(path)
    tensors["visual.merger.mlp.0.bias"] = np.zeros(3, np.float32)
    save_file(tensors, path, metadata={"format": "pt"})
    assert refusal(copied).code == "vlm_not_loaded"


def test_other_families_and_quantised_weights_are_refused_by_their_config(copied):
    edit(copied / "config.json", quantization_config={"quant_method": "awq", "bits": 4})
    assert refusal(copied).code == "vlm_quantised"
    edit(copied / "config.json", model_type="llava")
    assert refusal(copied).code == "vlm_family_unknown"


@pytest.mark.parametrize(
    "name",
    ["config.json", "preprocessor_config.json", "tokenizer_config.json", "model.safetensors"],
)
def test_a_folder_without_one_of_its_files_is_refused(copied, name):
    (copied / name).unlink()
    message = refusal(copied)
    assert (message.code, message.params["file"]) == ("bundle_file_missing", name)


def test_pickled_weights_are_not_weights(copied):
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    assert refusal(copied).code == "bundle_file_missing"


def test_code_in_a_folder_is_not_run(copied):
    mark = copied / "ran"
    (copied / "modeling.py").write_text(f"open({str(mark)!r}, 'w')", "utf-8")
    code = {"AutoModel": "modeling.X", "AutoConfig": "modeling.X", "AutoProcessor": "modeling.X"}
    for name in ("config.json", "preprocessor_config.json", "tokenizer_config.json"):
        edit(copied / name, auto_map=code)
    assert ask(VlmPredictor(read_vlm_folder(copied), "cpu")).text == CT_ANSWER
    assert not mark.exists()


@pytest.mark.parametrize(
    "spoil", [lambda d: d[:-4], lambda d: b"\xff" * 8 + d[8:], lambda d: d[:5]]
)
def test_half_a_weight_file_is_refused_unopened(copied, spoil):
    path = copied / "model.safetensors"
    path.write_bytes(spoil(path.read_bytes()))
    assert refusal(copied).code == "bundle_unreadable"


@pytest.mark.parametrize("name", ["../away.safetensors", "/away.safetensors"])
def test_an_index_may_not_point_outside_the_folder(copied, name):
    index = {"weight_map": {"a": name}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    assert refusal(copied).code == "bundle_unreadable"


@pytest.mark.parametrize("content", ["", "[]", "{", "\ufeff{}", '"x"'])
def test_a_config_that_is_no_object_is_refused(copied, content):
    (copied / "config.json").write_text(content, "utf-8")
    assert refusal(copied).code == "bundle_unreadable"


def test_a_tokenizer_that_cannot_be_read_is_one_clear_sentence(copied):
    (copied / "tokenizer.json").write_text("{}", "utf-8")
    message = refusal(copied)
    assert message.code == "vlm_not_loaded"
    assert "\n" not in message.text("ko")


# -- the memory it needs ---------------------------------------------------------------------

# hidden, intermediate, layers, heads, key and value heads, as in the published configurations.
PUBLISHED = {
    "Qwen2-VL-2B": (2_208_985_600, (1536, 8960, 28, 12, 2)),
    "Qwen2-VL-7B": (8_291_375_616, (3584, 18944, 28, 28, 4)),
    "Qwen2-VL-72B": (73_405_560_320, (8192, 29568, 80, 64, 8)),
}


@pytest.mark.parametrize(
    ("name", "fits", "does_not"),
    [("Qwen2-VL-2B", 8, 4), ("Qwen2-VL-7B", 24, 16), ("Qwen2-VL-72B", 160, 80)],
)
def test_the_published_sizes_fit_the_cards_they_are_known_to_fit(tmp_path, name, fits, does_not):
    parameters, (hidden, inner, layers, heads, shared) = PUBLISHED[name]
    config = {
        "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": shared,
        "vision_config": {"embed_dim": 1280, "patch_size": 14},
    }  # fmt: skip
    folder = VlmFolder(tmp_path, None, parameters, config)
    limits = CONFIG.limits
    needed = folder.bytes_needed(
        2, max_pixels=limits.max_pixels, max_new_tokens=limits.max_new_tokens
    )
    assert does_not << 30 < needed < fits << 30
    less = limits.fewer_pixels()
    assert needed > folder.bytes_needed(
        2, max_pixels=less.max_pixels, max_new_tokens=limits.max_new_tokens
    )
