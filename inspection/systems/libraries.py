"""Every library that a model of any system needs, imported and tried at once.

An inspection imports them when a model of theirs is loaded, which may be weeks after the program
was installed. What a packaging left out shows here.
"""

from __future__ import annotations

import warnings

from inspection.modelstore.vlm_folder import FAMILIES
from inspection.systems.importing import import_transformers


def import_libraries() -> None:
    """Import what the three systems need, and call once what is compiled or loaded by name.

    Raises
    ------
    Exception
        Whatever a library that is missing or incomplete makes Python stumble over.
    """
    _import_ensemble()
    _convert_network()
    import_transformers()
    _import_vlm()
    _import_vlg()


def _import_ensemble() -> None:
    import pytorch_grad_cam  # noqa: F401 - importing it is the check
    import torch
    from torchvision.ops import nms

    nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)


def _convert_network() -> None:
    """Convert and compile a network with OpenVINO; an inspection would do without, and slower."""
    import openvino
    import torch

    with warnings.catch_warnings():
        # Its way through torch is one that torch would have given up.
        warnings.simplefilter("ignore")
        model = openvino.convert_model(torch.nn.ReLU(), example_input=torch.zeros(1, 2))
    openvino.Core().compile_model(model, "CPU")


def _import_vlm() -> None:
    import transformers

    for family in FAMILIES.values():
        # The package imports a class's code when the class is first asked for.
        getattr(transformers, family.model)
        getattr(transformers, family.processor)


def _import_vlg() -> None:
    import transformers

    from inspection.systems.vlg.original import quieten

    for name in ("GroundingDinoProcessor", "GroundingDinoForObjectDetection", "BertTokenizerFast"):
        getattr(transformers, name)
    quieten()
    import groundingdino.models.GroundingDINO.groundingdino  # noqa: F401 - it imports the rest
