"""The provider description is what Airflow expects, and names only what exists."""

from __future__ import annotations

import enum
import importlib
import importlib.resources
import inspect
import json
import os
import pkgutil
from typing import Any

import jsonschema
import pytest
from airflow.configuration import conf as server_conf
from airflow.providers.common.compat.sdk import conf as sdk_conf
from airflow.providers_manager import ProvidersManager
from airflow.sdk import BaseNotifier, BaseOperatorLink, Connection

import airflow_ob_provider
from airflow_ob_provider.get_provider_info import get_provider_info
from airflow_ob_provider.hooks.settings import ConnectionSettings, Driver, TlsMode

INFO = get_provider_info()
(CONNECTION,) = INFO["connection-types"]


@pytest.mark.parametrize(
    "schema_file",
    [
        pytest.param("provider_info.schema.json", id="what Airflow checks at run time"),
        pytest.param("provider.yaml.schema.json", id="the strict one for providers"),
    ],
)
def test_matches_the_schema(schema_file: str) -> None:
    schema = json.loads(importlib.resources.files("airflow").joinpath(schema_file).read_text())
    jsonschema.validate(INFO, schema)


def test_first_version_is_the_package_version() -> None:
    assert INFO["versions"][0] == airflow_ob_provider.__version__


def named_modules() -> dict[str, list[str]]:
    """Modules by kind, as the description lists them."""
    return {
        kind: [module for entry in INFO[kind] for module in entry["python-modules"]]
        for kind in ("hooks", "operators", "sensors", "triggers")
    }


@pytest.mark.parametrize(
    ("kind", "suffix"), [("hooks", "Hook"), ("operators", "Operator"), ("sensors", "Sensor"), ("triggers", "Trigger")]
)
def test_lists_every_module_that_offers_one(kind: str, suffix: str) -> None:
    package = importlib.import_module(f"airflow_ob_provider.{kind}")
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
        if found.name not in {"base", "tenantwise"}  # for subclasses, not for DAGs
    ]
    offering = [
        module.__name__
        for module in modules
        if any(
            name.endswith(suffix) and not name.startswith("_") and value.__module__ == module.__name__
            for name, value in inspect.getmembers(module, inspect.isclass)
        )
    ]
    assert sorted(named_modules()[kind]) == offering


@pytest.mark.parametrize(
    "path",
    [
        CONNECTION["hook-class-name"],
        *INFO["extra-links"],
        *INFO["notifications"],
        *INFO["cli"],
        *(entry["handler"] for entry in INFO["asset-uris"]),
    ],
)
def test_every_named_object_exists(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_connection_type_is_that_of_the_hook() -> None:
    module, _, name = CONNECTION["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert hook.conn_type == CONNECTION["connection-type"]
    assert hook.hook_name == CONNECTION["hook-name"]


@pytest.mark.parametrize(("name", "field"), CONNECTION["conn-fields"].items())
def test_every_field_explains_itself_and_may_stay_empty(name: str, field: dict[str, Any]) -> None:
    assert field["label"]
    assert field["description"]
    assert "null" in field["schema"]["type"]


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, field in CONNECTION["conn-fields"].items() if "default" in field["schema"]],
)
def test_every_default_is_a_valid_value(name: str, field: dict[str, Any]) -> None:
    jsonschema.validate(field["schema"]["default"], field["schema"])


def test_defaults_of_the_form_are_those_of_the_hook() -> None:
    defaults = {
        name: field["schema"]["default"]
        for name, field in CONNECTION["conn-fields"].items()
        if "default" in field["schema"]
    }
    untouched = Connection(conn_id="form", conn_type="oceanbase", login="root")
    as_offered = Connection(conn_id="form", conn_type="oceanbase", login="root", extra=json.dumps(defaults))
    assert ConnectionSettings.of(as_offered) == ConnectionSettings.of(untouched)


@pytest.mark.parametrize(("field", "words"), [("driver", Driver), ("ssl_mode", TlsMode)])
def test_choices_of_the_form_are_those_of_the_hook(field: str, words: type[enum.StrEnum]) -> None:
    assert CONNECTION["conn-fields"][field]["schema"]["enum"] == list(words)


def test_tls_cannot_fall_back_to_plain_text_without_a_word() -> None:
    assert "PREFERRED" not in CONNECTION["conn-fields"]["ssl_mode"]["schema"]["enum"]


# --- the configuration ---

OPTIONS = INFO["config"]["oceanbase"]["options"]


@pytest.mark.parametrize("conf", [sdk_conf, server_conf], ids=["of tasks", "of the server"])
def test_reports_lie_below_the_home_of_airflow_by_default(conf: Any) -> None:
    assert conf.get("oceanbase", "report_path") == f"file://{os.environ['AIRFLOW_HOME']}/oceanbase-reports"
    assert conf.get("oceanbase", "report_url") == ""


@pytest.mark.parametrize("conf", [sdk_conf, server_conf], ids=["of tasks", "of the server"])
@pytest.mark.parametrize("name", OPTIONS)
def test_options_can_be_set(conf: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW__OCEANBASE__{name.upper()}", "s3://elsewhere")
    assert conf.get("oceanbase", name) == "s3://elsewhere"


@pytest.mark.parametrize("option", OPTIONS.values(), ids=list(OPTIONS))
def test_every_option_explains_itself(option: dict[str, Any]) -> None:
    assert option["description"].endswith(".")
    assert option["example"]
    assert isinstance(option["default"], str)


def test_every_notifier_and_link_is_listed() -> None:
    for kind, base, package in (
        ("notifications", BaseNotifier, "airflow_ob_provider.notifications.oceanbase"),
        ("extra-links", BaseOperatorLink, "airflow_ob_provider.links.oceanbase"),
    ):
        module = importlib.import_module(package)
        offered = [
            f"{package}.{name}"
            for name, value in inspect.getmembers(module, inspect.isclass)
            if issubclass(value, base) and value.__module__ == package
        ]
        assert sorted(INFO[kind]) == offered


def test_airflow_finds_notifier_command_and_links() -> None:
    manager = ProvidersManager()
    assert set(INFO["notifications"]) <= set(manager.notification)
    assert set(INFO["extra-links"]) <= set(manager.extra_links_class_names)
    assert INFO["package-name"] in manager.cli_command_providers
    groups = [group for function in manager.cli_command_functions for group in function()]
    assert "oceanbase" in {group.name for group in groups}
