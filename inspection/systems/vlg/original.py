"""The `groundingdino` backend: the makers' own code and checkpoints, and BERT from a local folder.

The package's loader is not used: it executes a configuration file, prints, and asks a server for
BERT. Its modules are put together here from the published numbers instead. Deformable attention is
the package's pure torch one, its only one: no compiled extension is needed on any device.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import BundleError
from inspection.modelstore.files import read_json
from inspection.modelstore.vlg_folder import MAX_TOKENS, WIDTH, Architecture, VlgFolder
from inspection.systems.memory import is_out_of_memory

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LEVELS, POINTS = 4, 4
"""Of deformable attention: feature maps, and samples of each."""
TEMPERATURE = 20
"""Of the position encoding of the image."""
UNUSED = frozenset({"label_enc.weight", "bert.embeddings.position_ids"})
"""In the published checkpoints, for training and for older versions of BERT's code."""


class OriginalModel:
    """A loaded model in its makers' code.

    Parameters
    ----------
    folder : what to load
    bert : folder of the text encoder's vocabulary and configuration; its weights are in the model's
    device : ``cpu`` or ``cuda``

    Raises
    ------
    BundleError
        If a file is missing or cannot be read, or weights are missing or unknown.
    """

    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    max_tokens = MAX_TOKENS

    def __init__(self, folder: VlgFolder, bert: Path, device: str) -> None:
        if folder.architecture is None:
            raise ValueError("a Hugging Face folder goes through the other backend")
        self.queries = folder.architecture.queries
        model = build(folder.architecture, bert)
        self.tokenizer = model.tokenizer
        _fill(model, folder)
        self._model = model.to(device).eval()

    def move(self, device: str) -> None:
        """Move the model to another device."""
        self._model = self._model.to(device)

    def answer(self, image: torch.Tensor, caption: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (Q, T) and boxes (Q, 4) for an image (1, 3, H, W) on the device."""
        quieten()
        answer = self._model(image, captions=[caption])
        return answer["pred_logits"][0], answer["pred_boxes"][0]


def build(architecture: Architecture, bert: Path) -> Any:
    """Return the package's detector around a text encoder, its weights not yet loaded.

    Raises
    ------
    BundleError
        If the text encoder's folder cannot be read.
    """
    quieten()
    from groundingdino.models.GroundingDINO.backbone.backbone import Joiner
    from groundingdino.models.GroundingDINO.backbone.position_encoding import (
        PositionEmbeddingSineHW,
    )
    from groundingdino.models.GroundingDINO.backbone.swin_transformer import SwinTransformer
    from groundingdino.models.GroundingDINO.bertwarper import BertModelWarper
    from groundingdino.models.GroundingDINO.groundingdino import GroundingDINO
    from groundingdino.models.GroundingDINO.utils import MLP, ContrastiveEmbed
    from torch import nn

    tokenizer, encoder = _text_encoder(bert)

    positions = PositionEmbeddingSineHW(
        WIDTH // 2, temperatureH=TEMPERATURE, temperatureW=TEMPERATURE, normalize=True
    )

    class Network(GroundingDINO):  # type: ignore[misc]
        """What the package's constructor would have made, without its way to BERT."""

        def __init__(self) -> None:
            nn.Module.__init__(self)
            layers = architecture.decoder_layers
            self.num_feature_levels = LEVELS
            self.max_text_len = MAX_TOKENS
            self.sub_sentence_present = True
            self.tokenizer = tokenizer
            self.specical_tokens = tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]", ".", "?"])
            self.bert = BertModelWarper(bert_model=encoder)
            self.feat_map = nn.Linear(encoder.config.hidden_size, WIDTH)
            swin = SwinTransformer(**architecture.swin.model_dump(), out_indices=(1, 2, 3))
            channels = swin.num_features[1:]
            self.backbone = Joiner(swin, positions)
            self.backbone.num_channels = channels
            # One projection for each of the encoder's maps, and one that makes a coarser map.
            layers_in = [nn.Conv2d(count, WIDTH, kernel_size=1) for count in channels]
            layers_in.append(nn.Conv2d(channels[-1], WIDTH, kernel_size=3, stride=2, padding=1))
            self.input_proj = nn.ModuleList(
                nn.Sequential(layer, nn.GroupNorm(32, WIDTH)) for layer in layers_in
            )
            self.transformer = _transformer(architecture)
            self.bbox_embed = nn.ModuleList([MLP(WIDTH, WIDTH, 4, 3)] * layers)
            self.class_embed = nn.ModuleList([ContrastiveEmbed()] * layers)
            self.transformer.decoder.bbox_embed = self.bbox_embed
            self.transformer.decoder.class_embed = self.class_embed
            self.transformer.enc_out_bbox_embed = MLP(WIDTH, WIDTH, 4, 3)
            self.transformer.enc_out_class_embed = ContrastiveEmbed()

    return Network()


def _transformer(architecture: Architecture) -> Any:
    from groundingdino.models.GroundingDINO.transformer import Transformer

    return Transformer(
        d_model=WIDTH,
        nhead=architecture.heads,
        num_queries=architecture.queries,
        dim_feedforward=architecture.feedforward,
        num_encoder_layers=architecture.encoder_layers,
        num_decoder_layers=architecture.decoder_layers,
        return_intermediate_dec=True,
        num_feature_levels=LEVELS,
        enc_n_points=POINTS,
        dec_n_points=POINTS,
        learnable_tgt_init=True,
        two_stage_type="standard",
        embed_init_tgt=True,
        use_text_enhancer=True,
        use_fusion_layer=True,
        use_text_cross_attention=True,
    )


def _fill(model: Any, folder: VlgFolder) -> None:
    """Load the weights; the package's own loader would leave gaps filled with random numbers."""
    weights = {
        name.removeprefix("module."): tensor for name, tensor in _read_weights(folder).items()
    }
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        # Tells of every tensor of another shape, one a line, after a headline.
        problem = str(error).strip().splitlines()[-1].strip()
        raise folder.not_loaded(problem) from error
    if missing:
        raise folder.not_loaded(f"{len(missing)} weights are missing, such as {missing[0]}")
    unknown = sorted(set(unexpected) - UNUSED)
    if unknown:
        raise folder.not_loaded(f"{len(unknown)} weights are unknown, such as {unknown[0]}")


def _read_weights(folder: VlgFolder) -> dict[str, torch.Tensor]:
    import torch
    from safetensors.torch import load_file

    if folder.weights.suffix == ".safetensors":
        try:
            return load_file(folder.weights)
        except Exception as error:
            # Its errors have no common class of their own.
            if is_out_of_memory(error):
                raise
            raise folder.not_loaded(str(error)) from error
    try:
        content = torch.load(folder.weights, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged pickle makes torch stumble in any way; it never runs code.
        if is_out_of_memory(error):
            raise
        raise folder.not_loaded(f"{type(error).__name__}: {error}") from error
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in weights.items()
    ):
        raise folder.not_loaded("the checkpoint holds no weights")
    return weights


def _text_encoder(bert: Path) -> tuple[Any, Any]:
    """Return BERT's tokenizer, and its network without weights."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    try:
        tokenizer = BertTokenizerFast.from_pretrained(bert, local_files_only=True)
    except Exception as error:
        # The library raises whatever a malformed vocabulary makes it stumble over.
        raise BundleError("bundle_unreadable", folder=bert.name, file="vocab.txt") from error
    content = read_json(bert, "config.json")
    try:
        config = BertConfig.from_dict(content)
        return tokenizer, BertModel(config)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, AttributeError) as error:
        raise BundleError("bundle_unreadable", folder=bert.name, file="config.json") from error


def quieten() -> None:
    """Silence what the package, written for older libraries, makes them complain about.

    None of it is of use to anyone but the package's makers. A filter that is there already is not
    added again; one that is put back afterwards would not be safe among threads.
    """
    ignore = warnings.filterwarnings
    ignore("ignore", "Importing from timm.models.layers is deprecated", FutureWarning)
    ignore("ignore", r".*torch\.cuda\.amp\.autocast", FutureWarning)
    ignore("ignore", "The `device` argument is deprecated", FutureWarning)
    ignore("ignore", r"torch\.meshgrid: in an upcoming release", UserWarning)
    for category in (DeprecationWarning, SyntaxWarning):
        ignore("ignore", ".*invalid escape sequence", category, module=".*groundingdino")
