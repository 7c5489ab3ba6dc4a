"""What unpacks DICOM files, loaded by name: whether this program has all of it."""

from __future__ import annotations

from inspection.volumes.dicom_header import READ_SYNTAXES


def missing_codecs() -> list[str]:
    """Return the compressions of DICOM that are read and that nothing here can unpack."""
    from pydicom.pixels.decoders.base import get_decoder

    missing = []
    for syntax, name in READ_SYNTAXES.items():
        decoder = get_decoder(syntax)
        if not decoder.is_available:
            missing.append(name)
    return missing
