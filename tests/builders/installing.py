"""Installing as the command and the window do: with a trial of each model."""

from __future__ import annotations

from functools import partial

from inspection.modelstore import download, install
from inspection.systems.trial import try_model

import_models = partial(install.import_models, trial=try_model)
download_model = partial(download.download_model, trial=try_model)
