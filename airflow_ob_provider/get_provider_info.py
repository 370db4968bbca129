"""What Airflow learns about this provider without importing it."""

from __future__ import annotations

from typing import Any

_SECONDS: dict[str, Any] = {"type": ["integer", "null"], "minimum": 1, "maximum": 3600}
_TEXT: dict[str, Any] = {"type": ["string", "null"]}


def get_provider_info() -> dict[str, Any]:
    """
    Return the description of this provider, the entry point of group ``apache_airflow_provider``.

    Airflow reads it in every process, so it is a plain dictionary and imports nothing of the provider.
    """
    return {
        "package-name": "airflow-ob-provider",
        "name": "OceanBase",
        "description": "Log archiving and backup of `OceanBase <https://en.oceanbase.com/>`__.",
        # The strict schema for providers asks for the next five; at run time Airflow does not use them.
        "state": "ready",
        "lifecycle": "incubation",
        "build-system": "hatchling",
        "source-date-epoch": 1795392000,
        "versions": ["0.1.0"],
        "integrations": [
            {
                "integration-name": "OceanBase",
                "external-doc-url": "https://en.oceanbase.com/docs/oceanbase-database",
                "tags": ["software"],
            }
        ],
        "hooks": [
            {
                "integration-name": "OceanBase",
                "python-modules": ["airflow_ob_provider.hooks.oceanbase"],
            }
        ],
        "operators": [
            {
                "integration-name": "OceanBase",
                "python-modules": [
                    "airflow_ob_provider.operators.archivelog",
                    "airflow_ob_provider.operators.backup",
                    "airflow_ob_provider.operators.compliance",
                    "airflow_ob_provider.operators.freeze",
                    "airflow_ob_provider.operators.prerequisites",
                    "airflow_ob_provider.operators.recovery",
                    "airflow_ob_provider.operators.settings",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "OceanBase",
                "python-modules": ["airflow_ob_provider.sensors.archivelog", "airflow_ob_provider.sensors.backup"],
            }
        ],
        "triggers": [
            {
                "integration-name": "OceanBase",
                "python-modules": ["airflow_ob_provider.triggers.oceanbase", "airflow_ob_provider.triggers.watch"],
            }
        ],
        "asset-uris": [{"schemes": ["oceanbase"], "handler": "airflow_ob_provider.assets.oceanbase.sanitize_uri"}],
        "extra-links": [
            "airflow_ob_provider.links.oceanbase.ComplianceReportLink",
            "airflow_ob_provider.links.oceanbase.OcpLink",
            "airflow_ob_provider.links.oceanbase.RunReportLink",
            "airflow_ob_provider.links.oceanbase.RunbookLink",
        ],
        "notifications": ["airflow_ob_provider.notifications.oceanbase.LogBackupAlarmNotifier"],
        "cli": ["airflow_ob_provider.cli.definition.get_commands"],
        "config": {
            "oceanbase": {
                "description": "Reports of the compliance checks of OceanBase log backup.",
                "options": {
                    "report_path": {
                        "description": (
                            "Folder of reports and lag history: a path, or a URL of any file system that Airflow's "
                            "ObjectStoragePath can reach, such as s3://aws_default@bucket/oceanbase. Workers share it."
                        ),
                        "version_added": "0.2.0",
                        "type": "string",
                        "example": "s3://aws_default@bucket/oceanbase",
                        "default": "file://{AIRFLOW_HOME}/oceanbase-reports",
                    },
                    "report_url": {
                        "description": "Where a web server shows that folder, for links on tasks; empty: in Airflow.",
                        "version_added": "0.2.0",
                        "type": "string",
                        "example": "https://reports.example.com/oceanbase",
                        "default": "",
                    },
                },
            }
        },
        "connection-types": [
            {
                "connection-type": "oceanbase",
                "hook-class-name": "airflow_ob_provider.hooks.oceanbase.OceanBaseHook",
                "hook-name": "OceanBase",
                "ui-field-behaviour": {
                    "hidden-fields": [],
                    "relabeling": {"schema": "Default database"},
                    "placeholders": {
                        "host": "address of an OBServer, or of ODP (OBProxy)",
                        "port": "2881 direct / 2883 through ODP",
                        "login": "root@sys, through ODP root@sys#cluster",
                        "schema": "oceanbase",
                    },
                },
                "conn-fields": _CONN_FIELDS,
            }
        ],
    }


# The hook reads exactly these keys of the connection's extra.
_CONN_FIELDS: dict[str, dict[str, Any]] = {
    "tenant": {
        "label": "Tenant",
        "description": (
            "Joined to the login: root becomes root@<tenant>. Log backup needs sys; on 4.x a user tenant can see to "
            "itself. Leave it empty if the login names the tenant."
        ),
        "schema": _TEXT,
    },
    "cluster": {
        "label": "Cluster",
        "description": (
            "Joined to login and tenant: root@sys#<cluster>. ODP needs it, a direct connection does not. Leave it "
            "empty if the login names the tenant."
        ),
        "schema": _TEXT,
    },
    "driver": {
        "label": "Driver",
        "description": "Python driver. pymysql is always installed, the others are extras of this provider.",
        "schema": {
            **_TEXT,
            "enum": ["pymysql", "mysqlclient", "mysql-connector-python"],
            "default": "pymysql",
        },
    },
    "connect_timeout": {
        "label": "Connect timeout (seconds)",
        "description": "How long to wait for the server to accept a connection.",
        "schema": {**_SECONDS, "default": 5},
    },
    "read_timeout": {
        "label": "Read timeout (seconds)",
        "description": "How long to wait for an answer. Keep it longer than the query timeout.",
        "schema": {**_SECONDS, "default": 15},
    },
    "write_timeout": {
        "label": "Write timeout (seconds)",
        "description": "How long to wait for a statement to be sent.",
        "schema": {**_SECONDS, "default": 15},
    },
    "query_timeout": {
        "label": "Query timeout (seconds)",
        "description": "When the server gives up on a statement (ob_query_timeout of the session).",
        "schema": {**_SECONDS, "default": 10},
    },
    "ssl_mode": {
        "label": "TLS",
        "description": (
            "DISABLED: no encryption. REQUIRED: encrypted, the server is not checked. "
            "VERIFY_CA: its certificate must be signed by the CA. "
            "VERIFY_IDENTITY: it must also carry the host's name. "
            "PREFERRED is not offered, because it may be unencrypted without a word."
        ),
        "schema": {
            **_TEXT,
            "enum": ["DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"],
            "default": "DISABLED",
        },
    },
    "ssl_ca": {
        "label": "TLS CA file",
        "description": "CA certificates, needed by the two VERIFY modes: a path on the worker and the triggerer.",
        "schema": _TEXT,
    },
    "ssl_cert": {
        "label": "TLS client certificate file",
        "description": "Together with the key, if the server asks clients for a certificate: a path.",
        "schema": _TEXT,
    },
    "ssl_key": {
        "label": "TLS client key file",
        "description": "Private key of the client certificate. A path, not the key itself.",
        "schema": _TEXT,
    },
    "ocp_url": {
        "label": "OCP address",
        "description": (
            "http(s) address of OCP's page of this cluster, or of OCP itself: tasks link to it. Everybody who sees the "
            "tasks sees it, so no login and no token in it."
        ),
        "schema": {**_TEXT, "format": "url"},
    },
}
