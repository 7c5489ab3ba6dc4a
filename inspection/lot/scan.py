"""Scan a lot folder into batteries; opens few labels, and no image but two of one number.

Layouts: a site's own pattern, the published set (any folders, known by file name), and
``LOT/{battery}/ct|rgb/*``; a single battery's folder is a lot too. Of volumes, which may also lie
beside ``rgb`` or alone, the headers are read. Hidden and system entries
(names starting with ``.`` or ``~``, ``Thumbs.db``, ``__MACOSX`` and the like) are left out
without a word; every other file is in a battery or in a finding, and some are in both.
"""

from __future__ import annotations

import dataclasses
import filecmp
import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from inspection.errors import LabelError, LotError
from inspection.lot.config import LotConfig, load_lot_config
from inspection.lot.filenames import natural_key, source_at_start
from inspection.lot.findings import Findings
from inspection.lot.folders import Folder, UnreadableFolder, walk_lot
from inspection.lot.groups import FoundImage, ImageGroup, group_images
from inspection.lot.label_index import LabelIndex
from inspection.lot.labels import read_label
from inspection.lot.pairing import PAIRS_NAME, Pairing, pair_by_number, pair_by_table, read_rows
from inspection.lot.volumes import volume_slices
from inspection.messages import Message
from inspection.names import told_name
from inspection.records import (
    MODALITIES,
    Battery,
    BatteryType,
    Form,
    ImageRef,
    Lot,
    Modality,
)
from inspection.volumes.config import VolumesConfig, load_volumes


def scan_lot(
    root: Path,
    config: LotConfig | None = None,
    *,
    pairs: Path | None = None,
    recipe: VolumesConfig | None = None,
) -> Lot:
    """Scan a lot folder.

    Parameters
    ----------
    root : the lot's folder, or one battery's with ``ct`` and ``rgb`` in it
    config : the site's patterns; by default those of its ``site.yaml``
    pairs : a table ``battery_id,ct_id,rgb_id``; by default the lot's own ``pairs.csv``, and
        without one sources pair by number
    recipe : which planes of volumes are slices; by default the site's

    Returns
    -------
    Lot
        Paired batteries first, then by id. A file that could not be taken as it is has a
        finding; an empty image file also stays in its battery, where opening it gives the reason.

    Raises
    ------
    LotError
        If the folder is missing, not a folder, empty or without images, or ``pairs`` is
        missing.
    ConfigError
        If a pattern is wrong.
    """
    # Hundreds of thousands of small objects are made, none of them in a cycle, yet the cycle
    # collector would walk all of them again and again: a third of the scan's time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return _scan(Path(root), config or load_lot_config(), pairs, recipe or load_volumes())
    finally:
        if was_enabled:
            gc.enable()


def _scan(root: Path, config: LotConfig, pairs: Path | None, recipe: VolumesConfig) -> Lot:
    findings = Findings()
    folders = list(_readable_folders(root, findings))
    name = told_name(root.resolve().name)
    sources = group_images(folders, name, config, findings)
    if not sources:
        if any(folder.images or folder.volumes for folder in folders):
            raise LotError("lot_no_known_names", path=str(root))
        beside = any(folder.labels or folder.others for folder in folders)
        raise LotError("lot_no_images" if beside else "lot_empty", path=str(root))

    if pairs is not None and not pairs.is_file():
        raise LotError("pairs_missing", path=str(pairs))
    table = pairs or root / PAIRS_NAME
    # The lot's own table that is of no use has told so, and the numbers pair.
    rows = read_rows(table, findings, own=pairs is None) if table.is_file() else None
    pairings = None if rows is None else pair_by_table(sources, rows, table, findings)
    if pairings is None:
        pairings = pair_by_number(sources, findings)

    labels = LabelIndex(folders, findings)
    if any(folder.volumes for folder in folders):
        recipe.use_scratch()
    batteries = [_battery(pairing, labels, recipe, findings) for pairing in pairings]
    labels.report_unused()
    lost = _left_out(root, pairings, findings)
    batteries = [
        dataclasses.replace(battery, lost=(*battery.lost, *lost.get(battery.battery_id, ())))
        for battery in batteries
    ]
    batteries.sort(key=lambda battery: (not battery.paired, natural_key(battery.battery_id)))
    return Lot(root, tuple(batteries), findings.collected())


def _readable_folders(root: Path, findings: Findings) -> Iterator[Folder]:
    if not root.exists():
        raise LotError("lot_missing", path=str(root))
    if not root.is_dir():
        raise LotError("lot_not_a_folder", path=str(root))
    for entry in walk_lot(root):
        if isinstance(entry, UnreadableFolder):
            if entry.path == root:
                raise LotError("lot_unreadable", path=str(root), problem=entry.problem)
            params = {"problem": entry.problem}
            findings.add(entry.path, Message(code="lot_folder_unreadable", params=params))
            continue
        for name in entry.others:
            findings.add_file("lot_file_type_unknown", entry.path, name)
        for name in entry.empty:
            findings.add_file("lot_file_empty", entry.path, name)
        for name in entry.special:
            findings.add_file("lot_file_special", entry.path, name)
        for name in entry.images:
            if (told := told_name(name)) != name:
                findings.add_file("lot_name_not_utf8", entry.path, told)
        yield entry


def _battery(
    pairing: Pairing, labels: LabelIndex, recipe: VolumesConfig, findings: Findings
) -> Battery:
    ct: tuple[ImageRef, ...] = ()
    lost: tuple[Message, ...] = ()
    source = pairing.ct
    if source and any(image.volume for image in source.images):
        ct, lost, pictures = volume_slices(source, pairing.battery_id, labels, recipe, findings)
        source = dataclasses.replace(source, images=pictures)
    if source and not ct:
        ct = _images(source, pairing.battery_id, labels, findings)
    rgb = _images(pairing.rgb, pairing.battery_id, labels, findings) if pairing.rgb else ()
    warnings = list(pairing.warnings)
    present = [source for source in (pairing.ct, pairing.rgb) if source]
    if len(present) == 1:
        code = "battery_without_rgb" if pairing.ct else "battery_without_ct"
        message = Message(code=code, params={"battery_id": pairing.battery_id})
        findings.add(present[0].images[0].folder.path, message, pairing.battery_id)
        warnings.append(message)
    forms = [_form(refs, findings) for refs in (ct, rgb)] if ct and rgb else []
    if all(forms) and len(set(forms)) > 1:
        # One code each way round: the words for the forms differ between languages.
        pouch_ct = forms[0] == "pouch"
        code = "pair_pouch_cylindrical" if pouch_ct else "pair_cylindrical_pouch"
        warnings.append(Message(code=code))
    return Battery(
        pairing.battery_id,
        pairing.ct.source_id if pairing.ct else None,
        pairing.rgb.source_id if pairing.rgb else None,
        ct,
        rgb,
        next((source.battery_type for source in present if source.battery_type), None),
        tuple(warnings),
        lost,
    )


def _images(
    source: ImageGroup, battery_id: str, labels: LabelIndex, findings: Findings
) -> tuple[ImageRef, ...]:
    """References of a source's images; of each number the first, the others reported."""
    refs: list[ImageRef] = []
    standing: FoundImage | None = None
    labelled = bool(labels)
    for image in source.images:
        label = None
        if labelled:
            label = labels.take(image.folder, image.stem, published_name=image.form is not None)
        path, number = image.folder.path / image.name, image.number
        if number is None:
            findings.add_file("lot_number_missing", image.folder.path, image.name, battery_id)
            continue
        if standing is not None and (standing.axis, standing.number) == (image.axis, number):
            first = standing.folder.path / standing.name
            called = standing.title.casefold() == image.title.casefold()
            if called and standing.format != image.format:
                code = "lot_image_format"
            else:
                code = "lot_image_duplicate" if _is_copy(path, first) else "lot_image_differs"
            other = f"{first.parent.name}/{first.name}"
            findings.add_file(code, image.folder.path, image.name, battery_id, other=other)
            continue
        standing = image
        if labelled and label is None:
            findings.add_file("lot_image_unlabelled", image.folder.path, image.name, battery_id)
        refs.append(
            ImageRef(
                path, source.modality, battery_id, image.axis, number,
                image.battery_type, image.form, label,
            )
        )  # fmt: skip
    return tuple(refs)


def _is_copy(path: Path, first: Path) -> bool:
    """Return whether two files hold the same bytes; what cannot be compared is no copy."""
    try:
        return filecmp.cmp(path, first, shallow=False)
    except OSError:
        return False


def _form(refs: tuple[ImageRef, ...], findings: Findings) -> Form | None:
    """Return the form by file name, else by the first label."""
    first = next((ref for ref in refs if ref.label_path is not None), refs[0])
    if refs[0].form is not None or first.label_path is None:
        return refs[0].form
    try:
        return read_label(first.label_path).form
    except LabelError as error:
        findings.add(first.label_path, error.message, first.battery_id)
        return None


def _left_out(
    root: Path, pairings: Iterable[Pairing], findings: Findings
) -> dict[str, tuple[Message, ...]]:
    """Return what was left out of each battery: with any, a battery is never ``normal``.

    A file belongs to the battery whose published name it starts with, else to the one battery
    that has images in the nearest folder with any. Where several share that folder, nothing
    tells whose the file is, and it stays a finding of the lot.
    """
    owners = _Owners(root, pairings)
    lost = Findings()
    for code in ("lot_image_differs", "lot_number_missing"):
        for file in findings.files(code):
            lost.add_file(code, file.folder, file.name, file.battery_id, **file.params)
    for file in findings.files("lot_name_unknown"):
        if owner := owners.by_name(file.name) or owners.near(file.folder):
            lost.add_file("battery_image_left_out", file.folder, file.name, owner)
    for file in (
        *findings.files("lot_file_type_unknown"),
        *findings.files("lot_file_special"),
    ):
        owner = owners.by_name(file.name)
        # A note beside the lot belongs to no battery; what lies among images was meant as one.
        if owner is None and owners.is_for_images(file.folder):
            owner = owners.near(file.folder)
        if owner is not None:
            lost.add_file(file.code, file.folder, file.name, owner)
    for finding in findings.of("lot_folder_unreadable"):
        if owner := owners.near(finding.path):
            params = {"name": finding.path.name, **finding.reason.params}
            lost.add(finding.path, Message(code="battery_folder_unreadable", params=params), owner)
    messages: dict[str, list[Message]] = defaultdict(list)
    for finding in lost.collected():
        if finding.battery_id is not None:
            messages[finding.battery_id].append(finding.reason)
    return {battery_id: tuple(said) for battery_id, said in messages.items()}


class _Owners:
    """Batteries by the folders and the published names of their images."""

    def __init__(self, root: Path, pairings: Iterable[Pairing]) -> None:
        self._root = root
        self._names: dict[tuple[Modality, int, BatteryType], str] = {}
        # Folders by their path below the lot: with images themselves, and with any below.
        self._direct: set[tuple[str, ...]] = set()
        self._below: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for pairing in pairings:
            for source in (pairing.ct, pairing.rgb):
                if source is None:
                    continue
                if said := source_at_start(source.source_id):
                    key = (said.modality, said.battery_number, said.battery_type)
                    self._names[key] = pairing.battery_id
                for parts in {image.folder.parts for image in source.images}:
                    self._direct.add(parts)
                    for depth in range(len(parts) + 1):
                        self._below[parts[:depth]].add(pairing.battery_id)

    def by_name(self, name: str) -> str | None:
        """Return the battery whose published name a file's name starts with."""
        said = source_at_start(name)
        if said is None:
            return None
        return self._names.get((said.modality, said.battery_number, said.battery_type))

    def near(self, folder: Path) -> str | None:
        """Return the one battery with images in or below the nearest folder that has any."""
        parts = folder.relative_to(self._root).parts
        # The lot folder itself always has some below it.
        while parts not in self._below:
            parts = parts[:-1]
        batteries = self._below[parts]
        return next(iter(batteries)) if len(batteries) == 1 else None

    def is_for_images(self, folder: Path) -> bool:
        """Return whether what lies in a folder is meant as an image: no note beside the lot."""
        parts = folder.relative_to(self._root).parts
        return parts in self._direct or any(part.lower() in MODALITIES for part in parts)
