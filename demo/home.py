"""An Airflow of the demo's own below the checkout, and where its log goes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".airflow"
LOG = HOME / "demo.log"
_LOCK = HOME / "demo.lock"
_READY = HOME / "demo.ready"
_DATABASE = HOME / "airflow.db"


class HomeError(Exception):
    """The Airflow home cannot be used."""


def redirect_output() -> TextIO:
    """Send what this process and its children write to the log; return the terminal.

    :raises HomeError: another demo has the home.
    """
    HOME.mkdir(exist_ok=True)
    try:
        os.fstat(0)
    except OSError:  # stdin is closed: its number must not go to another file
        os.open(os.devnull, os.O_RDONLY)
    lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT, 0o600)  # held until this process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise HomeError(f"Another demo is running with {HOME}. Wait for its end, or use another checkout.") from None
    terminal = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8", errors="replace")
    sys.stdout.flush()
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    return terminal


def prepare(say: Callable[[str], None]) -> None:
    """Point Airflow at its home and migrate its database; a home that is not whole is made anew.

    :raises HomeError: Airflow could not migrate its database.
    """
    for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_DATABASE}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    if _READY.exists() and _READY.read_text() == _fingerprint():
        return
    say("Preparing Airflow's database in .airflow (only the first time, about 15 s) ...")
    for path in HOME.iterdir():
        if path not in (LOG, _LOCK):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    done = subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], stdin=subprocess.DEVNULL, check=False)
    if done.returncode or not _fingerprint():
        raise HomeError(f"Airflow could not prepare its database. Its log: {LOG}")
    _READY.write_text(_fingerprint())


def discard() -> None:
    """Let the next demo make the home anew."""
    _READY.unlink(missing_ok=True)


def _fingerprint() -> str:
    """What makes a home whole: this Airflow, its configuration, a sound database of its schema. '' if it is not."""
    try:
        configuration = hashlib.sha256((HOME / "airflow.cfg").read_bytes()).hexdigest()
        with closing(sqlite3.connect(f"file:{_DATABASE}?mode=ro", uri=True)) as database:
            checks = database.execute("PRAGMA quick_check").fetchall()
            schema = database.execute("SELECT version_num FROM alembic_version").fetchall()
    except (OSError, sqlite3.Error):
        return ""
    return f"{version('apache-airflow-core')} {configuration} {schema}" if checks == [("ok",)] else ""
