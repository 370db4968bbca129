"""Hears everything that a task shows, so that a test can look for a secret in it."""

from __future__ import annotations

import logging
from typing import Any

import pytest


class Ears:
    """Log records, output, results, XCom, errors, and what travels with a trigger."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
        self._caplog, self._capsys = caplog, capsys
        self._heard: list[str] = []
        caplog.set_level(logging.DEBUG)

    def hear(self, *things: Any) -> None:
        self._heard += [text for thing in things for text in (str(thing), repr(thing))]

    @property
    def heard(self) -> str:
        """All of it since the beginning."""
        shown = self._capsys.readouterr()
        records = [f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in self._caplog.records]
        self._caplog.clear()
        self._heard += [shown.out, shown.err, *records]
        return "\n".join(self._heard)


@pytest.fixture
def ears(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ears:
    """Airflow's own masker is switched off, so that what keeps the secrets in is this package alone."""
    masker = "airflow.sdk._shared.secrets_masker.SecretsMasker.redact"
    monkeypatch.setattr(masker, lambda self, item, *args, **kwargs: item)
    return Ears(caplog, capsys)
