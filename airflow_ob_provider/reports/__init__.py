"""The compliance report of one cluster: its format, and two ways to show it.

It knows neither Airflow nor a driver, so a report kept as JSON can be shown anywhere.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from airflow_ob_provider.oceanbase.words import LANGUAGES
from airflow_ob_provider.reports.overview import overview
from airflow_ob_provider.reports.page import html
from airflow_ob_provider.reports.text import markdown

__all__ = ["LANGUAGES", "html", "markdown", "overview", "schema"]


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a report, a new copy each time."""
    text = files(__name__).joinpath("schema/compliance-1.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
