"""What this computer judges with, and whether all of it works: for doctor and the self-test.

An inspection imports a library when a model of its kind is loaded, which may be weeks after the
program was installed. What a packaging left out shows here.
"""

from __future__ import annotations

import ctypes
import platform
import sys
import warnings
from dataclasses import dataclass

from inspection.modelstore.vlm_folder import FAMILIES
from inspection.volumes.codecs import missing_codecs


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that torch can use.

    Parameters
    ----------
    total, free : bytes of its memory
    """

    name: str
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Devices:
    """The computer.

    Parameters
    ----------
    processor : its name, as far as the system tells
    cores : that this process may use
    memory, free_memory : bytes
    cuda : version of the CUDA libraries that torch brings; empty where it brings none
    driver_cuda : the newest version that the GPU's driver takes; empty without a driver
    gpus : those that torch can use
    """

    processor: str
    cores: int
    memory: int
    free_memory: int
    cuda: str
    driver_cuda: str
    gpus: tuple[Gpu, ...]


def find_devices() -> Devices:
    """Look at the computer."""
    import psutil
    import torch

    memory = psutil.virtual_memory()
    with warnings.catch_warnings():
        # A driver that is too old is told by a warning; here it is a GPU that is not there.
        warnings.simplefilter("ignore")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = []
    for number in range(count):
        free, total = torch.cuda.mem_get_info(number)
        gpus.append(Gpu(torch.cuda.get_device_name(number), int(total), int(free)))
    # Torch names the version that it was built with, also where packaging left the libraries out.
    cuda = "" if getattr(sys, "without_cuda", False) else str(torch.version.cuda or "")
    return Devices(
        processor=platform.processor() or platform.machine(),
        cores=psutil.cpu_count() or 1,
        memory=int(memory.total),
        free_memory=int(memory.available),
        cuda=cuda,
        driver_cuda=_driver_cuda(),
        gpus=tuple(gpus),
    )


def _driver_cuda() -> str:
    version = ctypes.c_int()
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        failed = driver.cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return ""
    # 13010 is version 13.1.
    return "" if failed else f"{version.value // 1000}.{version.value % 1000 // 10}"


def import_libraries() -> None:
    """Import what is imported late, and call once what is compiled or loaded by name.

    Raises
    ------
    Exception
        Whatever a library that is missing or incomplete makes Python stumble over.
    """
    import openvino
    import pytorch_grad_cam  # noqa: F401 - importing it is the check
    import torch
    from torchvision.ops import nms

    from inspection.systems.pretrained import import_transformers
    from inspection.systems.vlg.original import quieten

    nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    with warnings.catch_warnings():
        # OpenVINO's way through torch is one that torch would have given up.
        warnings.simplefilter("ignore")
        model = openvino.convert_model(torch.nn.ReLU(), example_input=torch.zeros(1, 2))
    openvino.Core().compile_model(model, "CPU")

    import_transformers()
    import transformers

    names = ["GroundingDinoProcessor", "GroundingDinoForObjectDetection", "BertTokenizerFast"]
    for family in FAMILIES.values():
        names += [family.model, family.processor]
    for name in names:
        # The package imports a class's code when the class is first asked for.
        getattr(transformers, name)
    quieten()
    import groundingdino.models.GroundingDINO.groundingdino  # noqa: F401 - it imports the rest
    import tifffile._imagecodecs  # noqa: F401 - imported when a stack is opened

    if missing := missing_codecs():
        raise ImportError(f"no decoder of DICOM's {', '.join(missing)}")
