"""Runs first in a program without CUDA's libraries: a GPU of this computer must not be found."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
