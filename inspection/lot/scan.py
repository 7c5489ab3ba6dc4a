"""Scan a lot folder into batteries; opens no image and only a few labels.

Layouts: a site's own pattern, the published set (any folders, known by file name), and
``LOT/{battery}/ct|rgb/*``; a single battery's folder is a lot too. Hidden and system entries
(names starting with ``.`` or ``~``, ``Thumbs.db``, ``__MACOSX`` and the like) are left out
without a word; every other file is in a battery or in a finding, and some are in both.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inspection.errors import LabelError, LotError
from inspection.lot.config import LotConfig, load_lot_config
from inspection.lot.filenames import natural_key
from inspection.lot.findings import Findings
from inspection.lot.folders import Folder, UnreadableFolder, walk_lot
from inspection.lot.groups import Source, group_images
from inspection.lot.label_files import LabelIndex
from inspection.lot.labels import read_label
from inspection.lot.losses import lost_by_battery
from inspection.lot.pairing import PAIRS_NAME, Pairing, pair_by_number, pair_by_table
from inspection.messages import Message
from inspection.records import Battery, Form, ImageRef, Lot


def scan_lot(root: Path, config: LotConfig | None = None, *, pairs: Path | None = None) -> Lot:
    """Scan a lot folder.

    Parameters
    ----------
    root : the lot's folder, or one battery's with ``ct`` and ``rgb`` in it
    config : the site's patterns; by default those of its ``site.yaml``
    pairs : a table ``battery_id,ct_id,rgb_id``; by default the lot's own ``pairs.csv``, and
        without one sources pair by number

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
    with _garbage_collection_paused():
        return _scan(Path(root), config or load_lot_config(), pairs)


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Hold the cycle collector while hundreds of thousands of small objects are made.

    None of them is in a cycle, yet it would walk all of them again and again: a third of the
    scan's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _scan(root: Path, config: LotConfig, pairs: Path | None) -> Lot:
    findings = Findings()
    folders = _read_folders(root, findings)
    sources = group_images(folders, root.resolve().name, config, findings)
    if not sources:
        _refuse(root, folders)
    pairings = _pair(root, sources, pairs, findings)
    builder = _BatteryBuilder(LabelIndex(folders, findings), findings)
    batteries = [builder.build(pairing) for pairing in pairings]
    builder.labels.report_unused()
    lost = lost_by_battery(root, pairings, findings)
    batteries = [
        dataclasses.replace(battery, lost=lost.get(battery.battery_id, ())) for battery in batteries
    ]
    batteries.sort(key=lambda battery: (not battery.paired, natural_key(battery.battery_id)))
    return Lot(root, tuple(batteries), findings.collected())


def _read_folders(root: Path, findings: Findings) -> list[Folder]:
    if not root.exists():
        raise LotError("lot_missing", path=str(root))
    if not root.is_dir():
        raise LotError("lot_not_a_folder", path=str(root))
    folders: list[Folder] = []
    for entry in walk_lot(root):
        if isinstance(entry, UnreadableFolder):
            if entry.path == root:
                raise LotError("lot_unreadable", path=str(root), problem=entry.problem)
            params = {"problem": entry.problem}
            findings.add(entry.path, Message(code="lot_folder_unreadable", params=params))
            continue
        folders.append(entry)
        for name in entry.others:
            findings.add_file("lot_file_type_unknown", entry.path, name)
        for name in entry.empty:
            findings.add_file("lot_file_empty", entry.path, name)
    return folders


def _refuse(root: Path, folders: list[Folder]) -> None:
    if any(folder.images for folder in folders):
        raise LotError("lot_no_known_names", path=str(root))
    if any(folder.labels or folder.others for folder in folders):
        raise LotError("lot_no_images", path=str(root))
    raise LotError("lot_empty", path=str(root))


def _pair(
    root: Path, sources: list[Source], pairs: Path | None, findings: Findings
) -> list[Pairing]:
    if pairs is not None and not pairs.is_file():
        raise LotError("pairs_missing", path=str(pairs))
    table = pairs or root / PAIRS_NAME
    if table.is_file():
        pairings = pair_by_table(sources, table, findings)
        if pairings is not None:
            return pairings
    return pair_by_number(sources, findings)


@dataclass(frozen=True, slots=True)
class _BatteryBuilder:
    labels: LabelIndex
    findings: Findings

    def build(self, pairing: Pairing) -> Battery:
        ct = self._refs(pairing.battery_id, pairing.ct)
        rgb = self._refs(pairing.battery_id, pairing.rgb)
        warnings = [*pairing.warnings, *self._missing(pairing)]
        if ct and rgb:
            warnings += self._forms_differ(ct, rgb)
        kind = pairing.ct.battery_type if pairing.ct else None
        return Battery(
            pairing.battery_id,
            pairing.ct.source_id if pairing.ct else None,
            pairing.rgb.source_id if pairing.rgb else None,
            ct,
            rgb,
            kind or (pairing.rgb.battery_type if pairing.rgb else None),
            tuple(warnings),
        )

    def _refs(self, battery_id: str, source: Source | None) -> tuple[ImageRef, ...]:
        """References of a source's images; of duplicates the first, the others reported."""
        if source is None:
            return ()
        refs: list[ImageRef] = []
        labelled = bool(self.labels)
        for image in source.images:
            label = None
            if labelled:
                label = self.labels.take(
                    image.folder, image.stem, published_name=image.form is not None
                )
            number = image.number or 0
            last = refs[-1] if refs else None
            if last is not None and (last.axis, last.number) == (image.axis, number):
                code = "lot_image_duplicate"
                if _sizes_differ(last.path, image.folder.path / image.name):
                    code = "lot_image_differs"
                self.findings.add_file(
                    code, image.folder.path, image.name, battery_id,
                    other=f"{last.path.parent.name}/{last.path.name}",
                )  # fmt: skip
                continue
            if labelled and label is None:
                self.findings.add_file(
                    "lot_image_unlabelled", image.folder.path, image.name, battery_id
                )
            refs.append(
                ImageRef(
                    image.folder.path / image.name,
                    source.modality,
                    battery_id,
                    image.axis,
                    number,
                    image.battery_type,
                    image.form,
                    label,
                )
            )
        return tuple(refs)

    def _missing(self, pairing: Pairing) -> Iterable[Message]:
        source = pairing.ct or pairing.rgb
        if source is None or (pairing.ct and pairing.rgb):
            return
        code = "battery_without_rgb" if pairing.ct else "battery_without_ct"
        message = Message(code=code, params={"battery_id": pairing.battery_id})
        self.findings.add(source.images[0].folder.path, message, pairing.battery_id)
        yield message

    def _forms_differ(
        self, ct: tuple[ImageRef, ...], rgb: tuple[ImageRef, ...]
    ) -> Iterable[Message]:
        ct_form, rgb_form = self._form(ct), self._form(rgb)
        if ct_form and rgb_form and ct_form != rgb_form:
            # One code each way round: the words for the forms differ between languages.
            pouch_ct = ct_form == "pouch"
            yield Message(code="pair_pouch_cylindrical" if pouch_ct else "pair_cylindrical_pouch")

    def _form(self, refs: tuple[ImageRef, ...]) -> Form | None:
        """Return the form by file name, else by the first label."""
        first = next((ref for ref in refs if ref.label_path is not None), refs[0])
        if refs[0].form is not None or first.label_path is None:
            return refs[0].form
        try:
            return read_label(first.label_path).form
        except LabelError as error:
            self.findings.add(first.label_path, error.message, first.battery_id)
            return None


def _sizes_differ(first: Path, second: Path) -> bool:
    try:
        return first.stat().st_size != second.stat().st_size
    except OSError:
        # What cannot be compared is not called a copy.
        return True
