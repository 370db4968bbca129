"""Property tests here give the same result on every run; set HYPOTHESIS_PROFILE=core-random to search further."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("core", deadline=None, derandomize=True)
settings.register_profile("core-random", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "core"))
