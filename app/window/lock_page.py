"""What the window shows while nobody is signed in: who are you? What runs goes on behind it."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from app.lot.run_bridge import RunBridge
from app.people.people import People
from app.theme import icon, tokens
from app.widgets.panel import Panel, column, fill, label
from app.widgets.sign_in_form import SignInForm
from app.wording import languages
from inspection.errors import InspectionError

WIDTH = 380


class LockPage(Panel):
    """Covers pictures and verdicts until somebody signs in."""

    def __init__(self, people: People, runner: RunBridge) -> None:
        super().__init__()
        self.setProperty("role", "page")
        self._people = people
        self._runner = runner
        self._mark = QLabel()
        self._title = label("hero")
        self._about = label("muted", wrap=True)
        self._run = label(wrap=True)
        self.form = SignInForm()
        middle = QWidget()
        middle.setFixedWidth(WIDTH)
        layout = column(middle, margin=0, gap=14)
        layout.addStretch(2)
        fill(layout, self._mark, self._title, self._about, self.form, self._run)
        layout.addStretch(3)
        fill(QHBoxLayout(self), None, middle, None)
        self.form.tried.connect(self._on_tried)
        self.form.first.connect(self._on_first)
        runner.progress_changed.connect(self._show_run)
        self.retranslate()
        self.restyle()

    def ask(self) -> None:
        """Ask anew who somebody is; the one who was here before is proposed."""
        self.form.setEnabled(True)
        try:
            names = [user.name for user in self._people.users.users()]
            problem = self._people.users.problem()
        except InspectionError as error:
            self.form.offer(())
            self.form.setEnabled(False)
            self.form.tell(error.text(languages.current), "critical")
            return
        before = self._people.before
        self.form.offer(names, before.name if before else "")
        if problem is not None:
            self.form.tell(problem.text_with_hint(languages.current), "critical")
        if not names:
            # Of a station that knew people and has lost them, nobody becomes the administrator
            # by a click.
            self.form.setEnabled(problem is None)
            if problem is None:
                self.form.show_mode("first")
        self.retranslate()

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        before = self._people.before
        if before is not None:
            self._title.setText(self.tr("Locked"))
            about = self.tr("{name} was signed in. Sign in to go on; nothing is lost.")
            self._about.setText(about.format(name=before.name))
        elif self.form.own_name.isVisibleTo(self.form):
            self._title.setText(self.tr("First administrator"))
            self._about.setText(
                self.tr("This station knows nobody yet. You add the others under File – Users.")
            )
        else:
            self._title.setText(self.tr("Sign in"))
            self._about.setText(self.tr("Every decision is recorded with your name and role."))
        self._show_run()

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        self._mark.setPixmap(icon("person", tokens().accent).pixmap(QSize(48, 48)))

    def _show_run(self) -> None:
        progress = self._runner.progress
        self._run.setVisible(self._runner.phase != "idle")
        going_on = self.tr("The inspection goes on: {done} of {total} batteries.")
        self._run.setText(going_on.format(done=progress.batteries, total=progress.total_batteries))

    def _on_tried(self, name: str, secret: str, new: str) -> None:
        self._people.sign_in(name, secret, new, self.form.refuse)

    def _on_first(self, name: str, secret: str) -> None:
        self._people.begin(name, secret, self.form.refuse)
