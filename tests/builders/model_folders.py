"""Small model folders as their makers publish them, written without torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_vlm(folder: Path, *, megabytes: float = 0.1, seed: int = 0) -> Path:
    """Write what the folder of a Qwen2-VL holds."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", {"model_type": "qwen2_vl"})
    for name in ("preprocessor_config.json", "tokenizer_config.json", "tokenizer.json"):
        write_json(folder / name, {})
    write_weights(folder / "model.safetensors", megabytes=megabytes, seed=seed)
    (folder / "README.md").write_text("made for a test", encoding="utf-8")
    return folder


def write_bert(folder: Path) -> Path:
    """Write what the folder of a BERT holds."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", {"model_type": "bert"})
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n", encoding="utf-8")
    write_weights(folder / "model.safetensors")
    return folder


def write_weights(path: Path, *, megabytes: float = 0.1, seed: int = 0) -> None:
    count = int(megabytes * (1 << 20)) // 4
    save_file({"w": np.random.default_rng(seed).random(count, np.float32)}, path)


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def flip_byte(path: Path, place: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def reseal(folder: Path, **changes: object) -> None:
    """Make a bundle's digests agree with what lies in it, as somebody who exports one could."""
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8")) | changes
    del manifest["sha256"]
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    manifest["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    write_json(folder / "bundle.json", manifest)
