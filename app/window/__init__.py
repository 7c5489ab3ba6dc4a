"""The main window: its menus, docks, bars and what it opens."""
