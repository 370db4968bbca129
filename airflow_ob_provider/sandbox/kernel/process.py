"""The kernel's process: started on a free port of the loopback interface, ended with its owner."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 120.0
_READY = "ready"
#: The library ends its process when it closes, so it has one of its own. That process lives as long as its standard
#: input is open, and so ends also when its owner is killed.
_PROGRAM = f"""
import os, shutil, sys
import pylibseekdb, libseekdb_python
libseekdb_python.open_with_service(sys.argv[1] + "/data", int(sys.argv[2]))
print({_READY!r}, flush=True)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
sys.stdin.read()
shutil.rmtree(sys.argv[1], ignore_errors=True)
os._exit(0)
"""


class KernelUnavailableError(RuntimeError):
    """There is no kernel here, or it did not start."""


class Kernel:
    """A running kernel with users ``root`` and ``root@sys`` (no password); about 5 s to start, 1 GB resident.

    :raises KernelUnavailableError: by :meth:`start`.
    """

    host = "127.0.0.1"

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self._directory: Path | None = None

    @staticmethod
    def why_unavailable() -> str:
        """Why there is no kernel on this machine; '' when there is one."""
        if importlib.util.find_spec("pylibseekdb") is None:
            return "no pylibseekdb, whose wheels are for CPython 3.11 on Linux x86-64 (extra 'kernel')"
        return ""

    def start(self) -> Self:
        if reason := self.why_unavailable():
            raise KernelUnavailableError(reason)
        # Its files are opened past the page cache, which a tmpfs, as /tmp often is, does not allow.
        self._directory = Path(tempfile.mkdtemp(prefix="oceanbase-kernel-", dir=_disk()))
        (self._directory / "data").mkdir()
        self.port = _free_port()
        with (self._directory / "process.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-c", _PROGRAM, str(self._directory), str(self.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self._directory,
            )
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.start()
        try:
            ready = any(line.strip() == _READY for line in self._process.stdout or ())
        finally:
            timer.cancel()
        if not ready:
            log_text = (self._directory / "process.log").read_text(errors="replace")[-2000:]
            self.stop()
            raise KernelUnavailableError(f"the kernel did not start within {START_SECONDS:.0f} s: {log_text}")
        return self

    def stop(self) -> None:
        """End the process and remove its files."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _disk() -> str | None:
    """A directory for large temporary files; None for the usual one."""
    return "/var/tmp" if Path("/var/tmp").is_dir() else None  # noqa: S108 - only the parent of a directory of its own


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
