"""Whether a checkpoint is of the run that wants to go on."""

from pathlib import Path

import pytest
from torch import nn

from inspection.errors import ConfigError
from training.loop.checkpoints import Checkpoints, Identity, LoopState


def test_a_run_goes_on_without_an_option_that_has_left_the_trainer_where_it_was_off(
    tmp_path: Path,
) -> None:
    now: Identity = {"config.training.epochs": "9"}
    for off, value in ((True, "0.0"), (False, "0.3")):
        run = tmp_path / value
        parts = {"model": nn.Linear(1, 1)}
        before = {**now, "config.anomalies.borders": value}
        Checkpoints(run, before, parts).save(LoopState(epoch=4), best=False)
        if off:
            assert Checkpoints(run, now, parts).load().epoch == 4
        else:
            with pytest.raises(ConfigError) as refused:
                Checkpoints(run, now, parts).load()
            assert refused.value.message.params["key"] == "anomalies.borders"
