"""Runs first in a program without CUDA's libraries: a GPU of this computer must not be found."""

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
# Torch says with which CUDA it was built; `station doctor` is to say that none is in here.
sys.without_cuda = True
if hasattr(os, "RTLD_LAZY"):
    # Python asks for every function of a library at once; those of CUDA are never called.
    sys.setdlopenflags(os.RTLD_LAZY)
