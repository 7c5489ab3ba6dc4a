"""The style sheet, with the theme's colours to be filled in."""

from __future__ import annotations

from string import Template

STYLESHEET = Template("""
QWidget { color: $text; }
QMainWindow { background: $bg; }
QDialog, QMessageBox { background: $surface; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: 4px 6px; }

QMenuBar { background: $surface; border-bottom: 1px solid $border; padding: 2px 4px; }
QMenuBar::item { background: transparent; padding: 5px 10px; border-radius: 4px; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $surface; border: 1px solid $border; padding: 5px; }
QMenu::item { padding: 6px 28px 6px 26px; border-radius: 4px; }
QMenu::item:selected { background: $selection; }
QMenu::item:disabled { color: $neutral; }
QMenu::separator { height: 1px; background: $border; margin: 5px 8px; }
QMenu::indicator { width: 14px; height: 14px; left: 6px; }
QMenu::indicator:checked { image: url($check); }
QMenu::icon:checked { background: $selection; border: 1px solid $accent; border-radius: 4px; }

QToolBar { background: $surface; border: none; border-bottom: 1px solid $border;
           padding: 6px 8px; spacing: 4px; }
QToolBar::separator { background: $border; width: 1px; margin: 5px 6px; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 5px;
              padding: 5px 9px; }
QToolButton:hover { background: $hover; }
QToolButton:pressed { background: $selection; }
QToolButton:checked { background: $selection; border-color: $accent; }
QToolButton:disabled { color: $neutral; }
QToolButton:focus { border-color: $accent; }
QToolButton[role="step"] { padding: 3px 2px; }

QPushButton { background: $raised; border: 1px solid $border; border-radius: 5px;
              padding: 6px 14px; min-height: 18px; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $selection; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $neutral; background: $surface; }
QPushButton[role="primary"] { background: $accent; border-color: $accent; color: $on_accent;
                              font-weight: bold; }
QPushButton[role="primary"]:hover { background: $accent; border-color: $text; }
QPushButton[role="primary"]:disabled { background: $raised; border-color: $border;
                                       color: $neutral; }
QPushButton[role="segment"] { border-radius: 4px; padding: 3px 10px; min-height: 16px; }
QPushButton[role="segment"]:checked { background: $selection; border-color: $accent; }
QPushButton[role="flat"] { background: transparent; border-color: transparent; padding: 4px 8px; }
QPushButton[role="flat"]:hover { background: $hover; }

QLineEdit, QComboBox, QPlainTextEdit, QTextEdit, QSpinBox {
    background: $raised; border: 1px solid $border; border-radius: 5px; padding: 5px 8px;
    selection-background-color: $selection; selection-color: $text; }
QLineEdit:focus, QComboBox:focus, QPlainTextEdit:focus { border-color: $accent; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url($arrow); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: $surface; border: 1px solid $border; padding: 3px;
    selection-background-color: $selection; selection-color: $text; outline: none; }
QCheckBox, QRadioButton { spacing: 8px; padding: 2px; }
QCheckBox::indicator { width: 16px; height: 16px; border: 1px solid $muted; border-radius: 4px;
                       background: $raised; }
QCheckBox::indicator:checked { image: url($check); border-color: $accent; }
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border-color: $accent; }
QRadioButton::indicator { width: 14px; height: 14px; border: 1px solid $muted; border-radius: 8px;
                          background: $raised; }
QRadioButton::indicator:checked { border-color: $accent;
    background: qradialgradient(cx: 0.5, cy: 0.5, fx: 0.5, fy: 0.5, radius: 0.5,
        stop: 0 $accent, stop: 0.55 $accent, stop: 0.7 $raised, stop: 1 $raised); }
QRadioButton:disabled, QCheckBox:disabled { color: $neutral; }

QHeaderView { background: $surface; }
QHeaderView::section { background: $surface; color: $muted; border: none;
    border-bottom: 1px solid $border; padding: 6px 6px; }
QTableView, QTreeView, QListView { background: $surface; border: none; outline: none;
    selection-background-color: $selection; selection-color: $text;
    alternate-background-color: $surface; }
QTableView::item { padding: 0 6px; border-bottom: 1px solid $raised; }
QTreeView::item { padding: 6px 6px; border-bottom: 1px solid $raised; }
QTreeView::item:selected { background: $selection; color: $text; }
QTableCornerButton::section { background: $surface; border: none; }

QScrollBar:vertical { background: transparent; width: 11px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 11px; margin: 0; }
QScrollBar::handle { background: $border; border-radius: 4px; margin: 2px; min-height: 28px;
                     min-width: 28px; }
QScrollBar::handle:hover { background: $neutral; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QScrollArea { border: none; background: transparent; }

QSlider { min-height: 20px; }
QSlider::groove:horizontal { height: 4px; background: $border; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { background: $text; width: 14px; height: 14px; margin: -5px 0;
                             border-radius: 7px; }
QSlider::handle:horizontal:focus { background: $accent; }
QSlider::sub-page:horizontal:disabled { background: $border; }
QSlider::handle:horizontal:disabled { background: $neutral; }

QProgressBar { background: $raised; border: 1px solid $border; border-radius: 5px; height: 10px;
               text-align: center; }
QProgressBar::chunk { background: $accent; border-radius: 4px; }

QDockWidget { color: $text; font-weight: bold; titlebar-close-icon: none; }
QDockWidget::title { background: $raised; padding: 7px 10px; text-align: left;
                     border-bottom: 1px solid $border; }
QMainWindow::separator { background: $bg; width: 6px; height: 6px; }
QMainWindow::separator:hover { background: $accent; }
QTabBar { qproperty-drawBase: 0; }
QTabBar::tab { background: $bg; color: $muted; padding: 6px 14px; border: none;
               border-top: 2px solid transparent; }
QTabBar::tab:selected { background: $surface; color: $text; border-top-color: $accent; }
QTabBar::tab:hover { color: $text; }
QTabWidget::pane { border: 1px solid $border; border-radius: 5px; background: $surface; }

QStatusBar { background: $surface; border-top: 1px solid $border; }
QStatusBar::item { border: none; }

QWidget[role="panel"] { background: $surface; }
QFrame[role="card"] { background: $raised; border: 1px solid $border; border-radius: 8px; }
QFrame[role="rule"] { background: $border; border: none; max-height: 1px; }
QLabel { background: transparent; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="section"] { color: $muted; font-weight: bold; }
QLabel[role="title"] { font-size: 15pt; font-weight: bold; }
QLabel[role="hero"] { font-size: 22pt; font-weight: bold; }
QLabel[role="critical"] { color: $critical; }
QLabel[role="warning"] { color: $warning; }
QLabel[role="caption"] { background: rgba(8, 9, 11, 205); color: #f2f4f7; border-radius: 5px;
                         padding: 4px 8px; }
QWidget[role="page"] { background: $bg; }
QFrame[role="decision"] { background: $raised; border-top: 1px solid $border; }
QFrame[role="banner"] { background: $selection; border-bottom: 1px solid $border; }
QFrame[role="toast"] { background: $raised; border: 1px solid $muted; border-radius: 8px; }
QPushButton[role="recent"] { background: transparent; border-color: transparent;
                             text-align: left; padding: 7px 10px; }
QPushButton[role="recent"]:hover { background: $hover; }
QLabel[role="kbd"] { background: $raised; border: 1px solid $border; border-radius: 4px;
                     padding: 2px 8px; }
""")
