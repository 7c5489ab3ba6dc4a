"""Have two people decide a lot by real keys on a virtual screen, then read the audit.

The keys come from the X server, as a keyboard's do: what has the focus gets them. An operator
and a colleague of quality sign in, accept, decide, override with a type, change each other's
decisions, take back across batteries, hand over and sign; the session's chain has to read as it
happened. Ends with 1 where it does not, and with 0 and a sentence where Xvfb or xdotool are
missing::

    python benchmarks/real_keys.py --pictures FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from fault_parts.screen import Screen, missing, wait_until
from fault_parts.window_said import write_settings
from fault_parts.world import LOT, LOT_SEED, PARTS, World, ended

TITLES = ("Battery inspection station", "배터리 검사대")
LOADING_S = 300.0
ANSWER_S = 60.0
REST_S = 1.5
"""A key that is to change nothing is given so long to change something."""
ADMINISTRATOR, KIM, LEE = "Ahn", "Kim", "Lee"
PINS = {ADMINISTRATOR: "402817", KIM: "591736", LEE: "268405"}
ROLES = {ADMINISTRATOR: "administrator", KIM: "operator", LEE: "quality"}
REASON = "seen by eye"

Line = tuple[str, str, str, str]
"""Who, on which battery, did what, to which end."""


class Script:
    """The people at the window; every key that counts is followed by a look at the chain."""

    def __init__(self, screen: Screen, world: World) -> None:
        self._screen = screen
        self._world = world
        self.wanted: list[Line] = []

    @property
    def chain(self) -> list[Line]:
        """What the chain says of decisions and signatures."""
        run = self._world.run
        if run is None:
            return []
        lines: list[Line] = []
        for text in (run / "audit.jsonl").read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            content = line["content"]
            if line["event"] == "decided":
                said = content["decision"]
                what = said["kind"]
                if said.get("defect_type"):
                    what = f"{what}: {said['defect_type']}"
                lines.append((said["operator"], content["battery_id"], said["action"], what))
            elif line["event"] == "signed":
                lines.append((content["name"], "", "signed", content["meaning"]))
        return lines

    def press(self, *keys: str) -> None:
        """Press keys that decide nothing by themselves."""
        self._screen.press(*keys)

    def dialog(self, *keys: str) -> None:
        """Press the key that opens a dialog, and wait until it has the keyboard."""
        before = len(self._screen.windows)
        self._screen.press(*keys)
        wait_until(f"a dialog after {keys}", lambda: len(self._screen.windows) > before, ANSWER_S)

    def does(self, line: Line, *keys: str) -> None:
        """Press keys after which the chain has one more line."""
        self.wanted.append(line)
        self._screen.press(*keys)
        wait_until(f"{line} after {keys}", lambda: len(self.chain) == len(self.wanted), ANSWER_S)
        if self.chain[-1] != line:
            raise AssertionError(f"the chain says {self.chain[-1]}, it was {line}")
        # The window hears of it a moment later.
        time.sleep(REST_S)

    def does_nothing(self, *keys: str) -> None:
        """Press keys after which the chain is as before."""
        self._screen.press(*keys)
        time.sleep(REST_S)
        if len(self.chain) != len(self.wanted):
            raise AssertionError(f"{keys} wrote {self.chain[-1]}")

    def sign_in(self, name: str) -> None:
        """Choose a name and type its PIN where a form asks for them."""
        self._screen.press("shift+Tab", name[0].lower(), "Tab")
        self._screen.type(PINS[name])
        self._screen.press("Return")
        time.sleep(2 * REST_S)

    def hand_over(self, name: str) -> None:
        """Let the other one take the station over."""
        self.dialog("ctrl+h")
        self.sign_in(name)

    def type(self, text: str) -> None:
        """Type words where the keyboard is."""
        self._screen.type(text)

    def run(self, pictures: Path | None) -> None:
        """Do everything, in its order."""
        wait_until("the window", self._opened, LOADING_S)
        self._picture(pictures, "sign-in")
        self.sign_in(KIM)
        self.press("F5")
        wait_until("the end of the inspection", self._inspected, LOADING_S)
        time.sleep(2 * REST_S)
        self.press(*["k"] * 6)

        self.does((KIM, "001", "accept", "normal"), "a")
        self.does_nothing("a")
        self.does_nothing("Return")  # steps on
        self.dialog("o")
        self.press("2")
        self.type(REASON)
        self.press("shift+Tab", "Down")
        self.does((KIM, "002", "override", "internal_defect: module_porosity"), "ctrl+Return")
        self.press("j")
        self.does((KIM, "003", "accept", "normal"), "Return")
        self.dialog("Return")  # in review: there is nothing to accept
        self.press("4")
        self.does((KIM, "004", "decide", "composite_defect"), "ctrl+Return")
        self.does((KIM, "005", "accept", "normal"), "a")

        self.hand_over(LEE)
        self.press("k")
        self.dialog("shift+o")
        self._picture(pictures, "change")
        self.press("1")
        self.type(REASON)
        self.does((LEE, "004", "decide", "normal"), "ctrl+Return")
        self._picture(pictures, "changed")
        self.press("j", "j")
        self.does((LEE, "006", "accept", "composite_defect"), "a")
        self.press("k", "k", "k")
        # One's own, the last first, wherever one is; what stood before stands again.
        self.does((LEE, "006", "undo", "composite_defect"), "ctrl+z")
        self.does((LEE, "004", "undo", "composite_defect"), "ctrl+z")
        self.does_nothing("ctrl+z")  # what is left is a colleague's

        self.hand_over(KIM)
        self.does((KIM, "005", "undo", "normal"), "ctrl+z")
        self.does((KIM, "004", "undo", "review"), "ctrl+z")
        self.dialog("o")  # the undo has gone there
        self.press("2")
        self.does((KIM, "004", "decide", "internal_defect"), "ctrl+Return")
        self.does_nothing("ctrl+s")  # an operator signs nothing

        self.hand_over(LEE)
        self.dialog("ctrl+s")
        self.press("Down", "Tab")
        self.type(PINS[LEE])
        self._picture(pictures, "sign")
        self.does((LEE, "", "signed", "approved"), "Return")
        self.does_nothing("ctrl+z")  # signed is signed
        self._picture(pictures, "signed")
        self.press("ctrl+q")

    def _opened(self) -> bool:
        title = self._screen.title()
        return any(name in title for name in TITLES)

    def _inspected(self) -> bool:
        run = self._world.run
        if run is None:
            return False
        status: str = json.loads((run / "session.json").read_bytes())["status"]
        return status == "completed"

    def _picture(self, folder: Path | None, name: str) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._screen.picture(folder / f"{name}.png")


def play(folder: Path, pictures: Path | None, language: str) -> list[str]:
    """Let the people do their work; return what was wrong."""
    lot, site = folder / "lot", folder / "site"
    world = World(folder, lot, "ensemble", folder / "cache")
    site.mkdir()
    (site / "site.yaml").write_text("people: {sign_in: true}\n", encoding="utf-8")
    made = world.station("lot", lot, *LOT, "--seed", LOT_SEED)
    people = [f"{name}:{ROLES[name]}:{PINS[name]}" for name in PINS]
    added = ended(world.start_python(PARTS / "add_people.py", *people))
    if made.code or added.code:
        return [made.text, added.text]
    write_settings(world, "ensemble", language=language, operator="")
    with Screen() as screen:
        shown = replace(world, more={**screen.env, "STATION_SITE": str(site)})
        window = shown.start("gui", lot, "--session-dir", world.sessions)
        script = Script(screen, world)
        try:
            script.run(pictures)
            said = ended(window)
        except (AssertionError, TimeoutError) as error:
            if pictures is not None:
                screen.picture(pictures / "wrong.png")
            window.kill()
            return [str(error), ended(window).text, *map(str, script.chain)]
    if said.code or said.crashed:
        return [f"the window ended with {said.code}: {said.text}"]
    assert world.run is not None
    verified = world.verify(world.run)
    return [verified.text] if verified.code else []


def main() -> int:
    """Press, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the screen")
    parser.add_argument("--language", choices=("en", "ko"), default="en")
    arguments = parser.parse_args()
    if absent := missing():
        print(f"No real keys were pressed: {', '.join(absent)} is not installed.")
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        wrong = play(Path(folder), arguments.pictures, arguments.language)
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"The audit reads as it happened ({time.monotonic() - started:.0f} s).")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
