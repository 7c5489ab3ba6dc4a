"""How many good batteries a detector needs to learn a look that nobody has seen.

::

    python benchmarks/learning_curve.py --style 1 --good 1 5 20 50

Draws a lot of good batteries and one to be judged, of the same look and other seeds; teaches frozen
features on ever more of the good ones; says for each number how well views and batteries of the
other lot are told apart, at the threshold that the teaching proposed. The row of 0 is the demo
model, as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from inspection.modelstore.bundle import Bundle, find_bundle
from inspection.paths import config_path, resource_path
from inspection.synthetic import SyntheticLot, write_lot
from training.autoencoder.views import View, read_lots
from training.config import read_training_config
from training.evaluation.judge import judge_alone
from training.features.config import FeaturesConfig
from training.features.features import train_feature_views
from training.loop.runs import TrainingRun

TOP_VIEWS = 3
"""Views whose mean score is a battery's, as the station's rule is."""


def figures(bundle: Bundle, lot: Path) -> dict[str, Any]:
    """Return how well a model tells the views and the batteries of a lot apart."""
    assert bundle.threshold is not None
    judged = judge_alone(bundle, lot)
    scores = np.array([image.score for image in judged])
    truth = np.array([image.truth.is_defect for image in judged])
    names = np.array([image.battery for image in judged])
    batteries = {
        name: float(np.sort(scores[names == name])[-TOP_VIEWS:].mean()) for name in set(names)
    }
    defective = {name: bool(truth[names == name].any()) for name in batteries}
    called = {name: score > bundle.threshold.threshold for name, score in batteries.items()}
    good, bad = ([n for n in batteries if defective[n] == side] for side in (False, True))
    return {
        "auroc_views": float(roc_auc_score(truth, scores)),
        "auroc_batteries": float(
            roc_auc_score([defective[n] for n in batteries], list(batteries.values()))
        ),
        "overkill": f"{sum(called[n] for n in good)} of {len(good)}",
        "escapes": f"{sum(not called[n] for n in bad)} of {len(bad)}",
    }


def first(views: Sequence[View], count: int) -> list[View]:
    """Return the views of the first batteries."""
    names = sorted({view.battery for view in views})[:count]
    return [view for view in views if view.battery in names]


def main() -> None:
    """Print a row for each number of good batteries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--style", type=int, default=1)
    parser.add_argument("--good", type=int, nargs="+", default=[1, 5, 20, 50])
    parser.add_argument(
        "--judged", type=int, default=40, help="batteries of the lot that is judged"
    )
    parser.add_argument("--views", type=int, default=6)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        look = {"views": arguments.views, "slices": 3, "style": arguments.style}
        good = write_lot(
            root / "good",
            SyntheticLot(batteries=max(arguments.good), defects=0.0, seed=811, **look),
        )
        other = write_lot(
            root / "other",
            SyntheticLot(batteries=arguments.judged, defects=0.6, seed=812, **look),
        )
        rows = [{"good": 0, **figures(find_bundle(resource_path("models"), "rgb_ae"), other)}]
        views = read_lots([good], "rgb")
        for count in arguments.good:
            config = read_training_config(
                config_path("features.yaml"), [f"cache.folder={root / 'cache'}"]
            )
            assert isinstance(config, FeaturesConfig)
            began = time.monotonic()
            bundle = train_feature_views(
                config, TrainingRun(root / f"run{count}", (good,)), first(views, count)
            )
            seconds = round(time.monotonic() - began, 1)
            rows.append({"good": count, **figures(bundle, other), "seconds": seconds})
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.flush()
    json.dump({"style": arguments.style, "rows": rows}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
