"""Where Qt and torch are used in one program, which of them is loaded first.

Both bring C++ runtime libraries of their own to Windows. Torch's do not start once Qt's are in the
process ("a dynamic link library initialization routine failed", c10.dll); the other way round both
work. Elsewhere the order makes no difference, and the window need not wait for torch.
"""

from __future__ import annotations


def load_torch() -> None:
    """Load torch's libraries; called before any part of Qt is imported."""
    import torch  # noqa: F401 - loading it is what this is for
