"""What somebody without the station's key can change in a finished session.

Each is done as well as it can be without the key: digests, hashes and heads are made to agree
where that takes nothing but their formulas.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inspection.seals.chain import canonical, digest_of
from inspection.seals.keys import StationKey


@dataclass(frozen=True)
class Session:
    """A copy of the finished session, to be changed.

    Parameters
    ----------
    folder : the copy
    earlier : a copy from before the last decisions
    defect : a battery with a defect, of which nothing was decided
    normal : a battery that is normal
    decided : a battery in review that was decided first as normal, then as a defect
    """

    folder: Path
    earlier: Path
    defect: str
    normal: str
    decided: str

    @property
    def record(self) -> dict[str, Any]:
        """What ``session.json`` says."""
        content: dict[str, Any] = json.loads((self.folder / "session.json").read_bytes())
        return content

    def write_record(self, record: dict[str, Any]) -> None:
        """Write ``session.json``."""
        text = json.dumps(record, indent=2, ensure_ascii=False)
        (self.folder / "session.json").write_text(text, encoding="utf-8")

    def change_row(self, name: str, **changes: Any) -> None:
        """Change a battery's row."""
        record = self.record
        for row in record["batteries"]:
            if row["battery_id"] == name:
                row.update(changes)
        self.write_record(record)

    def battery(self, name: str) -> Path:
        """Return a battery's file."""
        return self.folder / "batteries" / f"{name}.json"

    def change_battery(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change a battery's file."""
        content = json.loads(self.battery(name).read_bytes())
        change(content)
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        self.battery(name).write_text(text, encoding="utf-8")

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the chain."""
        text = (self.folder / "audit.jsonl").read_bytes()
        return [json.loads(line) for line in text.splitlines()]

    def write_lines(
        self, lines: list[dict[str, Any]], key: StationKey | None = None, *, all_: bool = False
    ) -> None:
        """Write the chain with hashes that fit.

        Parameters
        ----------
        key : of one's own, to sign what has changed with; without it the signatures stay
        all_ : sign every line with it
        """
        previous = "0" * 64
        for number, line in enumerate(lines, start=1):
            line |= {"sequence": number, "previous": previous}
            hashed = {name: line[name] for name in line if name not in ("hash", "signature")}
            if key is not None and (all_ or line["hash"] != digest_of(hashed)):
                hashed["key"] = line["key"] = key.public
                line["signature"] = key.sign(digest_of(hashed))
            line["hash"] = previous = digest_of(hashed)
        text = b"".join(canonical(line) + b"\n" for line in lines)
        (self.folder / "audit.jsonl").write_bytes(text)
        record = self.record
        record["head"] = previous
        self.write_record(record)

    def seal_anew(self, name: str) -> None:
        """Make the digest in a battery's row that of its file."""
        digest = hashlib.sha256(self.battery(name).read_bytes()).hexdigest()
        self.change_row(name, digest=digest)


NORMAL = {"kind": "normal", "defect_type": None, "reasons": [], "cnn_prob": 0.01, "ae_score": 0.01}


def other_key() -> StationKey:
    """Return a key that is not the station's."""
    private = Ed25519PrivateKey.generate()
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode("ascii")
    return StationKey(private, public)


def row(session: Session) -> None:
    """Make a defect normal in its row."""
    session.change_row(session.defect, **NORMAL)


def battery_file(session: Session) -> None:
    """Make a defect normal in its file."""
    session.change_battery(session.defect, lambda content: content["verdict"].update(NORMAL))


def both(session: Session) -> None:
    """Make a defect normal in its row and its file, the digest with them."""
    row(session)
    battery_file(session)
    session.seal_anew(session.defect)


def both_with_old_times(session: Session) -> None:
    """Do the same, and give the files the times that they had."""
    files = (session.folder / "session.json", session.battery(session.defect))
    times = {file: file.stat() for file in files}
    both(session)
    for file, stat in times.items():
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def swapped_ids(session: Session) -> None:
    """Let a defect and a normal battery change names, in rows and files."""
    one, other = session.battery(session.defect), session.battery(session.normal)
    a, b = json.loads(one.read_bytes()), json.loads(other.read_bytes())
    a["battery_id"], b["battery_id"] = b["battery_id"], a["battery_id"]
    one.write_text(json.dumps(b), encoding="utf-8")
    other.write_text(json.dumps(a), encoding="utf-8")
    record = session.record
    names = {session.defect: session.normal, session.normal: session.defect}
    for entry in record["batteries"]:
        entry["battery_id"] = names.get(entry["battery_id"], entry["battery_id"])
    session.write_record(record)
    for name in names:
        session.seal_anew(name)


def swapped_files(session: Session) -> None:
    """Let a defect and a normal battery change files."""
    one, other = session.battery(session.defect), session.battery(session.normal)
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)


def duplicate_row(session: Session) -> None:
    """Add a second row for a defect, which is normal."""
    record = session.record
    (found,) = [r for r in record["batteries"] if r["battery_id"] == session.defect]
    record["batteries"].append(found | NORMAL)
    session.write_record(record)


def duplicate_key_in_row(session: Session) -> None:
    """Name a row's kind twice."""
    path = session.folder / "session.json"
    start, mark, rest = path.read_text(encoding="utf-8").partition(f'"{session.defect}"')
    path.write_text(f'{start}{mark},\n"kind": "normal"{rest}', encoding="utf-8")


def duplicate_key_in_file(session: Session) -> None:
    """Name the kind of a battery's verdict twice."""
    path = session.battery(session.defect)
    start, mark, rest = path.read_text(encoding="utf-8").partition('"verdict":{')
    kind, comma, end = rest.partition(",")
    path.write_text(f'{start}{mark}{kind},"kind":"normal"{comma}{end}', encoding="utf-8")


def removed_row(session: Session) -> None:
    """Remove a defect's row."""
    record = session.record
    record["batteries"] = [r for r in record["batteries"] if r["battery_id"] != session.defect]
    session.write_record(record)


def removed_battery(session: Session) -> None:
    """Remove a defect's row and file."""
    removed_row(session)
    session.battery(session.defect).unlink()


def policy_of_session(session: Session) -> None:
    """Change the policy that the session names."""
    record = session.record
    record["config"] = {**record["config"], "changed": True}
    session.write_record(record)


def policy_of_battery(session: Session) -> None:
    """Change the policy that judged a battery."""
    session.change_battery(
        session.normal, lambda content: content["judged_by"]["ensemble"].update(policy="0" * 64)
    )
    session.seal_anew(session.normal)


def models_of_session(session: Session) -> None:
    """Change the digest of the session's model."""
    record = session.record
    record["models"][0]["sha256"] = "0" * 64
    session.write_record(record)


def models_of_battery(session: Session) -> None:
    """Change the digests of the models that judged a battery."""

    def change(content: dict[str, Any]) -> None:
        models = content["judged_by"]["ensemble"]["models"]
        models.update(dict.fromkeys(models, "0" * 64))

    session.change_battery(session.normal, change)
    session.seal_anew(session.normal)


def audit_deleted(session: Session) -> None:
    """Delete the chain, and make a defect normal."""
    (session.folder / "audit.jsonl").unlink()
    record = session.record
    record["head"] = None
    session.write_record(record)
    both(session)


def rehashed(session: Session) -> None:
    """Make a defect normal, and every hash of the chain agree."""
    both(session)
    session.write_lines(_with_normal(session))


def forged_inspection(session: Session) -> None:
    """Do the same, and sign the lines with another key."""
    both(session)
    session.write_lines(_with_normal(session), other_key())


def signed_anew(session: Session) -> None:
    """Make a defect normal, and sign the whole chain with another key."""
    both(session)
    session.write_lines(_with_normal(session), other_key(), all_=True)


def _with_normal(session: Session) -> list[dict[str, Any]]:
    """Return the chain's lines, in which a defect was inspected as normal."""
    digest = hashlib.sha256(session.battery(session.defect).read_bytes()).hexdigest()
    lines = session.lines
    for line in lines:
        content = line["content"]
        if line["event"] == "inspected" and content["row"]["battery_id"] == session.defect:
            content.update(digest=digest, row=content["row"] | NORMAL | {"digest": digest})
    return lines


def forged_decision(session: Session) -> None:
    """Add a decision, with the right hash, signed with another key."""
    lines = session.lines
    known = next(line for line in reversed(lines) if line["event"] == "decided")
    decision = {"action": "override", "kind": "normal", "reason": "dust"}
    decision = known["content"]["decision"] | decision
    content = {"battery_id": session.defect, "decision": decision, "changes": None}
    line = known | {"content": known["content"] | content}
    session.write_lines([*lines, line], other_key())
    given = next(r["decision"] for r in session.record["batteries"] if r["decision"])
    session.change_row(session.defect, decision=given | decision)


def cut_tail(session: Session) -> None:
    """Take the last decision off the chain and out of the session."""
    lines = session.lines
    last = max(n for n, line in enumerate(lines) if line["event"] == "decided")
    session.write_lines(lines[:last])
    (before,) = [
        r["earlier"][-1] for r in session.record["batteries"] if r["battery_id"] == session.decided
    ]
    session.change_row(session.decided, decision=before, earlier=[])


def older_lines(session: Session) -> None:
    """Give the last decision the time of the first line."""
    lines = session.lines
    last = max(n for n, line in enumerate(lines) if line["event"] == "decided")
    session.write_lines([*lines[:last], lines[last] | {"at": lines[0]["at"]}, *lines[last + 1 :]])


def set_back(session: Session) -> None:
    """Put an earlier copy of the session in its place."""
    shutil.rmtree(session.folder)
    shutil.copytree(session.earlier, session.folder)


def as_version_1(session: Session) -> None:
    """Make the session one of the first version, which had no seals."""
    (session.folder / "audit.jsonl").unlink()
    both(session)
    record = session.record
    del record["head"], record["signatures"]
    record["schema_version"] = 1
    for entry in record["batteries"]:
        for name in ("earlier", "digest"):
            del entry[name]
        if entry["decision"]:
            for name in ("defect_type", "region", "role", "second", "shown"):
                entry["decision"].pop(name, None)
            entry["decision"]["action"] = entry["decision"]["action"].replace("decide", "override")
    session.write_record(record)
    for path in (session.folder / "batteries").glob("[!.]*.json"):
        content = json.loads(path.read_bytes())
        content["schema_version"] = 1
        for name in ("judged_by", "prints"):
            content.pop(name, None)
        path.write_text(json.dumps(content), encoding="utf-8")


EDITS: dict[str, Callable[[Session], None]] = {
    "row": row,
    "battery file": battery_file,
    "row and battery file": both,
    "both, with their old times": both_with_old_times,
    "swapped ids": swapped_ids,
    "swapped battery files": swapped_files,
    "duplicate row": duplicate_row,
    "duplicate key in a row": duplicate_key_in_row,
    "duplicate key in a battery file": duplicate_key_in_file,
    "removed row": removed_row,
    "removed row and battery file": removed_battery,
    "policy of the session": policy_of_session,
    "policy that judged a battery": policy_of_battery,
    "model of the session": models_of_session,
    "models that judged a battery": models_of_battery,
    "audit deleted": audit_deleted,
    "audit hashed anew without the key": rehashed,
    "inspection signed with another key": forged_inspection,
    "whole chain signed with another key": signed_anew,
    "decision signed with another key": forged_decision,
    "cut tail": cut_tail,
    "line set back in time": older_lines,
    "session set back to an earlier copy": set_back,
    "version 1 without its audit": as_version_1,
}
