"""Run in the clean environment: print as JSON what the installed Airflow knows of the installed provider."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path

from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.configuration import conf
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.providers_manager import ProvidersManager


def main() -> None:
    """Print the findings on the last line of standard output."""
    manager = ProvidersManager()
    (form,) = (form for form in HookMetaService.hook_meta_data() if form.connection_type == "oceanbase")
    templates = Path(importlib.import_module("airflow_ob_provider").__file__).parent / "dag_templates"
    dag_bag = BundleDagBag(templates, bundle_path=templates, bundle_name="templates")

    hook_info = manager.hooks["oceanbase"]
    hook = importlib.import_module("airflow_ob_provider.hooks.oceanbase").OceanBaseHook
    reports = importlib.import_module("airflow_ob_provider.reports")
    groups = [group for function in manager.cli_command_functions for group in function()]
    (entry_point,) = (
        one
        for one in importlib.metadata.entry_points(group="apache_airflow_provider")
        if one.value.startswith("airflow_ob_provider.")
    )
    findings = {
        "form": form.model_dump(mode="json"),
        "hook": hook_info and hook_info.hook_class_name,
        "hook_conn_type": hook.conn_type,
        "mysqlclient": importlib.util.find_spec("MySQLdb") is not None,
        "sandbox_dependencies": importlib.util.find_spec("mysql_mimic") is not None,
        "extra_links": list(manager.extra_links_class_names),
        "notifications": list(manager.notification),
        "commands": [group.name for group in groups],
        "entry_point": entry_point.load()()["package-name"],
        "report_path": conf.get("oceanbase", "report_path"),
        "schema": reports.schema()["title"],
        "page": reports.html({}, "en"),
        "asset_schemes": list(manager.asset_uri_handlers),
        "package": importlib.import_module("airflow_ob_provider").__file__,
        "bundles": list(DagBundlesManager().get_all_bundle_names()),
        "dags": sorted(dag_bag.dags),
        "import_errors": dag_bag.import_errors,
    }
    sys.stdout.write("\n" + json.dumps(findings) + "\n")


if __name__ == "__main__":
    main()
