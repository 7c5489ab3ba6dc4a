"""The trainer's YAML files: each loads, says no to what it does not know, and names its runs."""

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import nn
from torchvision.models import convnext_tiny, resnet18, resnet50

from inspection.errors import ConfigError
from inspection.paths import config_path
from inspection.systems.ensemble.backbones import build_classifier
from training.autoencoder.config import AutoencoderConfig
from training.classifier.config import CnnConfig
from training.classifier.pretrained import load_pretrained
from training.config import read_training_config
from training.loop.config import load_logging, save_config

BACKBONES = {"resnet18": resnet18, "resnet50": resnet50, "convnext_tiny": convnext_tiny}


@pytest.mark.parametrize(
    ("file", "override", "named"),
    [
        ("cnn.yaml", "architecture.backbone=vgg16", "architecture.backbone"),
        ("cnn.yaml", "training.optimiser=sgd", "training.optimiser"),
        ("cnn.yaml", "training.early_stopping.monitor=val_f1", "early_stopping.monitor"),
        ("cnn.yaml", "training.best_by=train_loss", "training.best_by"),
        ("cnn.yaml", "cache.max_gigabytes=-1", "cache.max_gigabytes"),
        ("cnn.yaml", "cache.size=1", "cache.size"),
        ("cnn.yaml", "augmentation.scale=0.9", "augmentation.scale"),
        ("autoencoder_ct.yaml", "training.precision=half", "training.precision"),
        (
            "autoencoder_ct.yaml",
            "training.pretrained=w.pth",
            "training.pretrained",
        ),
        ("autoencoder_ct.yaml", "threshold.method=maximum", "threshold.method"),
    ],
)
def test_unknown_keys_and_values_are_named(file: str, override: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_training_config(config_path(file), [override])
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("file", "override", "meant"),
    [
        ("cnn.yaml", "training.epocs=3", "training.epochs"),
        ("cnn.yaml", "training.batchsize=4", "training.batch_size"),
        ("cnn.yaml", "training.Learning-Rate=4", "training.learning_rate"),
        ("cnn.yaml", "trainning.epochs=3", "training"),
        ("cnn.yaml", "learning_rate=3", "training.learning_rate"),
        ("autoencoder_ct.yaml", "training.anomalies=3", "anomalies"),
    ],
)
def test_the_key_that_was_meant_is_named_beside_the_option(
    file: str, override: str, meant: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_training_config(config_path(file), [override])
    assert str(caught.value).startswith(f"--set {override}: ")
    assert str(caught.value).endswith(f"the nearest is {meant}.")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("batchsize: 8", "training.batchsize is not a key that this program knows"),
        ("batch_size: none", "training.batch_size: Input should be a valid integer"),
        ("batch_size: 1", "training.batch_size: Input should be greater than or equal to 2"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(
    wrong: str, problem: str, tmp_path: Path
) -> None:
    lines = config_path("cnn.yaml").read_text(encoding="utf-8").splitlines()
    number = next(n for n, line in enumerate(lines) if "over all processes" in line)
    lines[number] = f"  {wrong}"
    (tmp_path / "mine.yaml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_training_config(tmp_path / "mine.yaml", ["training.epochs=3"])
    assert str(caught.value).startswith(f"mine.yaml:{number + 1}: {problem}")


@pytest.mark.parametrize(
    ("file", "override", "said"),
    [
        ("autoencoder_rgb.yaml", "preprocess.width=200", "multiple of 64"),
        ("autoencoder_rgb.yaml", "training.crop=[100, 101]", "multiple of 2"),
        ("cnn.yaml", "preprocess.height=500", "the nearest is 496 or 512"),
        ("cnn.yaml", "warmup.crop=100", "multiple of 16"),
        ("cnn.yaml", "warmup.crop=320", "more than the smaller side"),
    ],
)
def test_a_size_that_the_network_cannot_have_is_refused_with_one_that_it_can(
    file: str, override: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read_training_config(config_path(file), [override])
    assert override.partition("=")[0] in str(caught.value)


def test_the_warm_up_is_among_the_epochs_that_are_asked_for() -> None:
    for epochs, warm in (("1", 0), ("2", 1), ("5", 2)):
        config = read_training_config(config_path("cnn.yaml"), [f"training.epochs={epochs}"])
        assert isinstance(config, CnnConfig)
        assert config.warmup_epochs == warm


def test_what_cannot_be_built_is_refused_before_training() -> None:
    with pytest.raises(ConfigError, match="output_stride 32 only"):
        read_training_config(config_path("cnn.yaml"), ["architecture.backbone=convnext_tiny"])


def test_defaults_are_the_customers() -> None:
    minimal = {
        "model": "cnn",
        "name": "x",
        "architecture": {},
        "preprocess": {
            "modality": "ct", "width": 32, "height": 32, "channels": 1, "mean": [0.5], "std": [0.5]
        },
    }  # fmt: skip
    config = CnnConfig.model_validate(minimal)
    t = config.training
    assert (t.optimiser, t.learning_rate, t.batch_size, t.epochs) == ("adam", 1e-4, 32, 30)
    assert (t.weight_decay, t.loss, t.best_by) == (1e-4, "cross_entropy", "val_f1")
    assert t.early_stopping.model_dump() == {
        "monitor": "val_loss", "patience": 7, "min_delta": 0.001
    }  # fmt: skip
    assert config.run_name == "resnet18_lr1e-4_bs32_wd1e-4"


@pytest.mark.parametrize("file", ["cnn.yaml", "autoencoder_rgb.yaml", "autoencoder_ct.yaml"])
def test_a_saved_configuration_reads_back_the_same(file: str, tmp_path: Path) -> None:
    config = read_training_config(config_path(file), ["training.epochs=3"])
    save_config(config, tmp_path / "config.yaml")
    assert read_training_config(tmp_path / "config.yaml") == config


def test_autoencoder_runs_are_named_by_modality_and_threshold() -> None:
    for file, override, name in (
        ("autoencoder_rgb.yaml", "threshold.k=2.5", "ae_rgb_k2.5"),
        ("autoencoder_ct.yaml", "threshold.k=3", "ae_ct_k3"),
        ("autoencoder_ct.yaml", "threshold.method=f1_max", "ae_ct_f1"),
    ):
        config = read_training_config(config_path(file), [override])
        assert isinstance(config, AutoencoderConfig)
        assert config.run_name == name


def test_the_logging_file_is_typed(tmp_path: Path) -> None:
    assert load_logging().reconstructions_every == 5
    content = yaml.safe_load(config_path("logging.yaml").read_text(encoding="utf-8"))
    content["logging"]["reconstruction_every"] = 5
    (tmp_path / "logging.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match="reconstruction_every"):
        load_logging(tmp_path / "logging.yaml")


# -- pretrained weights ------------------------------------------------------------------------


def published_features(name: str, net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the features that torchvision's own network pools."""
    if name == "convnext_tiny":
        return net.classifier[0](net.features(x))
    return nn.Sequential(*list(net.children())[:-2])(x)


@pytest.mark.parametrize("name", BACKBONES)
def test_weights_in_torchvisions_format_give_its_features(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = BACKBONES[name](weights=None).eval()
    files = tmp_path / "weights.pth", tmp_path / "weights.safetensors"
    torch.save(net.state_dict(), files[0])
    save_file(net.state_dict(), files[1])
    colour, grey = (
        build_classifier({"backbone": name, "in_channels": channels, "output_stride": 32}).eval()
        for channels in (3, 1)
    )
    for model, file in zip((colour, grey), files, strict=True):
        load_pretrained(model, name, file)
        # The head stays as it was: it is of other classes.
        model.fc.weight.data.zero_()
        model.fc.weight.data[torch.arange(5), torch.arange(5)] = 1.0
    x = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        expected = published_features(name, net, x.repeat(1, 3, 1, 1))[:, :5]
        for model, image in ((colour, x.repeat(1, 3, 1, 1)), (grey, x)):
            torch.testing.assert_close(model(image)[1], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("damage", ["missing", "other network", "no weights", "code"])
def test_unfit_weights_are_one_clear_error(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    if damage == "other network":
        with torch.device("meta"):
            shapes = resnet50(weights=None).state_dict()
        torch.save({name: torch.zeros(()).expand(t.shape) for name, t in shapes.items()}, file)
    elif damage == "no weights":
        file.write_bytes(b"<html>not found</html>")
    elif damage == "code":
        torch.save({"conv1.weight": Path("x")}, file)
    model = build_classifier({"backbone": "resnet18", "in_channels": 1, "output_stride": 32})
    with pytest.raises(ConfigError) as caught:
        load_pretrained(model, "resnet18", file)
    expected = "do not exist" if damage == "missing" else "do not fit"
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
