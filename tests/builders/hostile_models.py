"""Bundles and zips that a model manager may be given: wrong, damaged, or made to do harm."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import zipfile
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
import torch
from safetensors.numpy import load, save

from builders.hostile_images import damaged
from builders.model_folders import contents
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import ThresholdFile, load_bundle
from inspection.modelstore.bundle_writing import write_bundle
from inspection.modelstore.install import import_models
from inspection.systems.ensemble.cae_network import CaeArchitecture, ConvAutoencoder
from inspection.systems.ensemble.known_answers import record_answers
from inspection.systems.trial import try_model

SLOT = "rgb_ae"
SIZE = Preprocess(modality="rgb", width=64, height=32, channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
WILD = (None, -1, 0, 1, 2**40, 1e308, -1e-9, float("nan"), float("inf"), True, "", "x", "../x",
[], {},
        [1, 2, 3], {"a": [1]}, "0" * 64, "기" * 300, 10**400)  # fmt: skip


@lru_cache(maxsize=1)
def _good() -> dict[str, bytes]:
    """Return the files of a small autoencoder with known answers."""
    import tempfile

    torch.manual_seed(7)
    arch = CaeArchitecture(
        latent_dim=4, reduction=2, base=4, levels=2, head_base=4, head_levels=2, top_fraction=0.01
    )
    record = ThresholdFile(
        threshold=0.5, method="mean_std", k=2.5, percentile=None, computed_from="nothing",
        num_samples=1, mean_error=0.1, std_error=0.1,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / SLOT
        write_bundle(
            place, slot=SLOT, name="small", architecture=arch.model_dump(), labels=[],
            preprocess=SIZE, tensors=ConvAutoencoder(arch, SIZE.width,
            SIZE.height).state_dict(),
            threshold=record, display_scale=1.0, training={"data": ["none"]}, demo=True,
        )  # fmt: skip
        record_answers(load_bundle(place))
        return contents(place)


def good_model(folder: Path) -> Path:
    """Write a model that is not refused, in the folder of its slot."""
    for name, data in _good().items():
        (folder / SLOT).mkdir(parents=True, exist_ok=True)
        (folder / SLOT / name).write_bytes(data)
    return folder


def sealed(files: dict[str, bytes], manifest: dict[str, object]) -> dict[str, bytes]:
    """Make the digests agree with the files, as somebody who exports a bundle could."""
    manifest = {key: value for key, value in manifest.items() if key != "sha256"}
    listed = manifest.get("files")
    if isinstance(listed, dict):
        digests = {n: hashlib.sha256(files[n]).hexdigest() for n in listed if n in files}
        manifest["files"] = listed | digests
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    manifest["sha256"] = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    return files | {"bundle.json": json.dumps(manifest).encode()}


def hostile_bundle(rng: Random) -> tuple[str, dict[str, bytes]]:
    """Return how a bundle was made, and its files."""
    files = dict(_good())
    how = rng.choice(
        ("manifest", "manifest", "manifest", "weights", "weights", "answers", "threshold",
        "damage",
         "missing", "extra", "header")
    )  # fmt: skip
    manifest = json.loads(files["bundle.json"])
    if how == "manifest":
        place, fields = manifest, []
        while isinstance(place, dict) and place and (not fields or rng.random() < 0.5):
            key = rng.choice(sorted(place))
            fields.append((place, key))
            place = place[key]
        holder, key = fields[-1]
        value = rng.choice(WILD)
        how = f"{key} is {str(value)[:20]}"
        if rng.random() < 0.1:
            del holder[key]
            how = f"no {key}"
        else:
            holder[key] = value
        if rng.random() < 0.1:
            manifest["more"] = value
    elif how == "weights":
        how, files["weights.safetensors"] = _other_tensors(rng, files["weights.safetensors"])
    elif how == "answers":
        how, files["answers.safetensors"] = _other_tensors(rng, files["answers.safetensors"])
        how = f"answers: {how}"
    elif how == "threshold":
        name = manifest["threshold_file"]
        record = json.loads(files[name])
        record[rng.choice(sorted(record))] = rng.choice(WILD)
        files[name] = json.dumps(record).encode()
    elif how == "damage":
        name = rng.choice(sorted(files))
        how, files[name] = damaged(rng, files[name], files["bundle.json"])
        how += f" of {name}"
        if name == "bundle.json":
            return how, files
    elif how == "missing":
        how = f"no {(name := rng.choice(sorted(files)))}"
        del files[name]
        if name == "bundle.json":
            return how, files
    elif how == "extra":
        name = rng.choice(
            ("x.pkl", "run.py", "config.json", "inspector.yaml", "more.safetensors", "a/b.json")
        )
        files[name] = rng.choice((b"{}", b"", b"\x80\x04.", rng.randbytes(200)))
        if rng.random() < 0.5:
            manifest["files"][name] = "0" * 64
        how = f"also {name}"
    else:
        how, files["weights.safetensors"] = _wild_header(rng, files["weights.safetensors"])
    return (how, sealed(files, manifest)) if rng.random() < 0.9 else (f"{how}, not sealed", files)


def _other_tensors(rng: Random, data: bytes) -> tuple[str, bytes]:
    tensors = {name: tensor.copy() for name, tensor in load(data).items()}
    name = rng.choice(sorted(tensors))
    how = rng.choice(
        ("all zero", "all one", "NaN", "infinite", "huge", "half", "another shape", "gone",
        "more", "cut",
         "noise", "integers", "empty")
    )  # fmt: skip
    if how in ("all zero", "all one", "noise"):
        chaos = np.random.default_rng(rng.getrandbits(32))
        for key, tensor in tensors.items():
            value = {"all zero": 0, "all one": 1}.get(how)
            drawn = (
                chaos.normal(0, 100, tensor.shape)
                if value is None
                else np.full(tensor.shape, value)
            )
            tensors[key] = drawn.astype(tensor.dtype)
    elif how in ("NaN", "infinite", "huge"):
        value = {"NaN": np.nan, "infinite": np.inf, "huge": 3e38}[how]
        if tensors[name].dtype.kind == "f":
            tensors[name] = np.array(tensors[name], np.float32)
            tensors[name].reshape(-1)[:1] = value
    elif how == "half":
        tensors[name] = tensors[name].astype(np.float16)
    elif how == "another shape":
        tensors[name] = tensors[name].reshape(-1)[: max(1, tensors[name].size // 2)]
    elif how == "gone":
        del tensors[name]
    elif how == "more":
        tensors["more.weight"] = np.zeros((3, 3), np.float32)
    elif how == "integers":
        tensors[name] = tensors[name].astype(np.int64)
    elif how == "empty":
        tensors = {}
    packed = save(tensors)
    return f"{how} {name}", packed[: rng.randrange(len(packed))] if how == "cut" else packed


def _wild_header(rng: Random, data: bytes) -> tuple[str, bytes]:
    """Return weights whose header lies about what follows."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    name = rng.choice(sorted(key for key in header if key != "__metadata__"))
    field = rng.choice(("dtype", "shape", "data_offsets", "length"))
    if field == "length":
        value = rng.choice((0, 1, length - 1, length + 1, 2**31, 2**40, 2**63, 2**64 - 1))
        return f"header of {value} bytes", struct.pack("<Q", value) + data[8:]
    header[name][field] = rng.choice(
        ("F64", "X9", [2**40, 2**40], [-1], [0, 2**62], [5, 1], None, {}, [[1]])
    )
    text = json.dumps(header).encode()
    return f"{field} of {name}", struct.pack("<Q", len(text)) + text + data[8 + length :]


def hostile_zip(rng: Random) -> tuple[str, bytes]:
    """Return how a zip was made, and its bytes."""
    how, files = "the model", dict(_good())
    if rng.random() < 0.3:
        how, files = hostile_bundle(rng)
    trick = rng.choice(
        ("none", "name", "name", "link", "bomb", "liar", "encrypted", "method", "twice",
        "many", "cp949",
         "nested", "comment", "damage", "damage", "damage", "deep")
    )  # fmt: skip
    stream = io.BytesIO()
    with zipfile.ZipFile(
        stream, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as zipped:
        top = rng.choice(("", "model/", "모델/", "a/b/"))
        for name, data in files.items():
            zipped.writestr(f"{top}{name}", data)
        _play(rng, trick, zipped, f"{top}bundle.json")
    data = stream.getvalue()
    if trick == "damage":
        trick, data = damaged(rng, data, data[::-1])
    elif trick in ("encrypted", "liar", "cp949"):
        data = _edited(rng, trick, data)
    return f"{how}, {trick}", data


def _play(rng: Random, trick: str, zipped: zipfile.ZipFile, known: str) -> None:
    if trick == "name":
        name = rng.choice(
            ("../x.json", "/etc/x.json", "C:\\x.json", "C:/x.json", "a\\..\\x.json",
            "con.json", "x.json ",
             "x.json.", "a//b.json", "./x.json", "x\x01.json", "기" * 120 + ".json",
             "a/" * 400 + "x.json",
             "x" * 5000 + ".json", "aux", "a:b.json", "..", "x.pkl", "__pycache__/x.pyc")
        )  # fmt: skip
        zipped.writestr(name, b"{}")
    elif trick == "link":
        entry = zipfile.ZipInfo("weights.json")
        entry.external_attr = rng.choice((0o120777, 0o010777, 0o020777, 0o140777)) << 16
        zipped.writestr(entry, b"/etc/passwd")
    elif trick == "bomb":
        zipped.writestr(
            "more.safetensors", bytes(rng.choice((70 << 20, 1 << 20))), zipfile.ZIP_DEFLATED
        )
    elif trick == "method":
        zipped.writestr("more.json", b"{}" * 100, rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
    elif trick == "twice":
        zipped.writestr(known.upper(), b"{}")
    elif trick == "many":
        for number in range(rng.choice((300, 5001))):
            zipped.writestr(f"{number}.json", b"")
    elif trick == "nested":
        zipped.writestr("inner.zip", b"PK\5\6" + bytes(18))
    elif trick == "comment":
        zipped.comment = rng.randbytes(60_000)
    elif trick == "deep":
        zipped.writestr("a/" * 60 + "bundle.json", b"{}")


def _edited(rng: Random, trick: str, data: bytes) -> bytes:
    """Change the fields of one entry, in its directory and before its bytes."""
    changed = bytearray(data)
    for sign, flags, name_size, sizes in ((b"PK\3\4", 6, 26, 18), (b"PK\1\2", 8, 28, 20)):
        at = data.find(sign)
        (count,) = struct.unpack_from("<H", data, at + name_size)
        if trick == "encrypted":
            changed[at + flags] |= 1
        elif trick == "liar":
            struct.pack_into(
                "<I",
                changed,
                at + sizes + 4 * rng.randint(0, 1),
                rng.choice((0, 1, 2**31, 2**32 - 2)),
            )
        else:
            start = at + (30 if sign == b"PK\3\4" else 46)
            name = "가".encode("cp949") * (count // 2) + b"x" * (count % 2)
            changed[start : start + count] = name
            changed[at + flags + 1] &= ~0x08 & 0xFF
    return bytes(changed)


def look_at_model(source: Path, target: Path) -> None:
    """Import what somebody brings over a model that works.

    Raises
    ------
    InspectionError
        If it is refused.
    AssertionError
        If it was refused and the old model is no longer as it was, or it was taken and is none.
    """
    if not (target / SLOT).is_dir():
        good_model(target)
    before = contents(target / SLOT)
    taken = False
    try:
        import_models(source, target, trial=try_model)
        taken = True
    finally:
        if not taken:
            assert contents(target / SLOT) == before, "the old model is gone or altered"
            left = sorted(path.name for path in target.iterdir() if path.name != ".install.lock")
            assert left in ([SLOT], [SLOT, "inspector.yaml"]), left
    installed = [path.name for path in target.iterdir() if path.is_dir()]
    for slot in installed:
        try_model(target / slot, slot)
    shutil.rmtree(target)
