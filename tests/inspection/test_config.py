"""A wrong configuration is refused with the file and the key, never taken half."""

from __future__ import annotations

import pytest

from inspection.config import load_inspector
from inspection.errors import ConfigError


def test_the_installed_policy_is_valid():
    assert load_inspector().aggregation.min_run == 3


@pytest.mark.parametrize("value", ["0", "1", "-0.1", "1.5", ".nan"])
def test_a_slice_threshold_that_tells_nothing_apart_is_refused(tmp_path, value):
    path = tmp_path / "inspector.yaml"
    path.write_text(f"inspector: {{aggregation: {{slice_threshold: {value}}}}}", encoding="utf-8")
    with pytest.raises(ConfigError, match="slice_threshold"):
        load_inspector(path)
