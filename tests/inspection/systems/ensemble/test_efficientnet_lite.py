"""EfficientNet-Lite: the numbers are those of the package that its weights come from."""

from __future__ import annotations

import pytest
import torch

from inspection.systems.ensemble.efficientnet_lite import EfficientNetLite, stages_of
from training.features.backbone import load_backbone, renamed

SIDES = {"lite0": 224, "lite1": 240, "lite2": 260}


@pytest.mark.parametrize("variant", SIDES)
def test_logits_are_those_of_the_package(variant):
    package = pytest.importorskip("efficientnet_lite_pytorch")
    torch.manual_seed(0)
    theirs = package.EfficientNet.from_name(f"efficientnet-{variant}").eval()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # Of a network that was never taught every normalisation would do nothing.
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours = EfficientNetLite(variant).eval()
    ours.load_state_dict(renamed(theirs.state_dict(), variant))
    pictures = torch.randn(1, 3, SIDES[variant], SIDES[variant])
    with torch.inference_mode():
        wanted = theirs(pictures)
        torch.testing.assert_close(ours(pictures), wanted, rtol=0, atol=1e-6)
        fused = ours.fuse()(pictures)
    torch.testing.assert_close(fused, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))


def test_an_odd_picture_is_padded_at_the_right_and_the_bottom_alone():
    network = EfficientNetLite("lite0", stages=1)
    # Every second pixel from the first: the outermost rows and columns are seen, none is skipped.
    with torch.no_grad():
        network.stem.conv.weight.zero_()
        network.stem.conv.weight[:, :, 0, 0] = 1.0
    pixels = torch.arange(25.0).reshape(1, 1, 5, 5).expand(1, 3, 5, 5)
    found = network.stem.conv(pixels)[0, 0] / 3
    # 5 pixels need one more on each side; 6 need one at the end alone.
    assert found.tolist() == [[0, 0, 0], [0, 6, 8], [0, 16, 18]]
    even = torch.arange(36.0).reshape(1, 1, 6, 6).expand(1, 3, 6, 6)
    assert (network.stem.conv(even)[0, 0] / 3)[0].tolist() == [0, 2, 4]


def test_the_stations_weights_fit_and_know_pictures_apart():
    weights = load_backbone("lite0")
    network = EfficientNetLite("lite0", stages=len(stages_of("lite0"))).eval()
    network.load_state_dict(weights)
    flat, striped = torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    striped[..., ::8] = 1.0
    with torch.inference_mode():
        *_, of_flat = network.features(flat)
        *_, of_stripes = network.features(striped)
    assert of_flat.shape == (1, 320, 2, 2)
    assert (of_flat - of_stripes).abs().mean() > 0.1
