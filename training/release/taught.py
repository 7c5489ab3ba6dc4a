"""What a taught model is compared on: batteries of its lot that it has not learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from inspection.errors import ConfigError
from inspection.images.body_planes import with_body
from inspection.lot.scan import scan_lot
from inspection.modelstore.files import read_document
from inspection.modelstore.teaching import RESULT_NAME, TeachResult, parts_of
from inspection.records import image_name
from training.release.units import HeldOutUnits, unit_of


def read_taught_units(folder: Path) -> HeldOutUnits:
    """Return the good batteries that a teaching only judged, and the decided defects.

    Their truth is what people have decided, not what labels say.

    Raises
    ------
    BundleError
        If the folder holds no result of a teaching.
    LotError
        If its lot is gone.
    ConfigError
        If no battery was kept for this.
    """
    result = read_document(TeachResult, folder, RESULT_NAME)
    root = Path(result.request.lot)
    lot = scan_lot(root)
    of_rgb = result.request.slot == "rgb_ae"
    good = parts_of(result, "judged")
    shown = {row.image for row in result.held_out}
    units = []
    for battery in map(with_body, lot.batteries):
        defective = battery.battery_id in result.request.defective
        if not (defective or battery.battery_id in good):
            continue
        refs = battery.rgb if of_rgb else battery.ct
        if not defective and shown:
            # The others were left out, for what their labels say or since they cannot be read.
            refs = tuple(ref for ref in refs if image_name(ref, lot.root) in shown)
        if refs:
            kept = replace(battery, rgb=refs) if of_rgb else replace(battery, ct=refs)
            key = f"{root.name}/{battery.battery_id}"
            units.append(unit_of(key, refs, defective, kept))
    if not units:
        raise ConfigError("teach_none_judged", folder=folder.name)
    return HeldOutUnits("battery", (root.name,), tuple(units))
