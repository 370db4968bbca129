"""A real OceanBase SQL engine (seekdb, of the 4.3.5 kernel) under the sandbox: ``Sandbox(profile, engine="kernel")``.

It needs the extra ``kernel``: Linux on x86-64, CPython 3.11.
"""

from .engine import KernelEngine
from .process import Kernel, KernelUnavailableError

__all__ = ["Kernel", "KernelEngine", "KernelUnavailableError"]
