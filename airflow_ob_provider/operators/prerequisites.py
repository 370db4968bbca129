"""Everything that must be true before log backup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.arguments import check_flag
from airflow_ob_provider.exceptions import OceanBaseServerError, PrerequisitesNotMetError
from airflow_ob_provider.oceanbase.models import Finding, Identity, Level, to_json
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.operators.settings import wanted_destination
from airflow_ob_provider.operators.tenantwise import TenantwiseOperator
from airflow_ob_provider.tables import table as markdown_table

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_ob_provider.oceanbase.destination import Destination


class CheckBackupPrerequisitesOperator(TenantwiseOperator):
    """Check what must be true before log backup, one finding each, and fail only on FAIL.

    Looks at: reachable, version, privilege, servers, user tenants, destination, state of log backup; on 3.x also tenant
    sys, clocks, primary cluster, GTS; on 4.x also tenants out of scope and lag target. WARN and UNKNOWN (could not be
    read) do not fail it. Reads only, so a retry is safe. It cannot see whether the destination is mounted and writable
    on every server.

    :param destination: destination that will be set afterwards; None means the one that is set already must do.
    :param dest_conn_id: connection with its keys.
    :param restart_interrupted: an INTERRUPTED round is a warning, because the start will replace it.
    :return: ``passed``, ``findings`` (each ``check``, ``level``, ``observed``, ``expected``, ``hint``, ``tenants`` it
        is about, none for all), ``identity`` (version, cluster, tenant, account, grants), ``tenants`` of 4.x that may
        go on and ``failed`` ones. Pushed to XCom also when the task fails.
    """

    template_fields: Sequence[str] = (
        "oceanbase_conn_id",
        "tenants",
        "on_partial_failure",
        "destination",
        "dest_conn_id",
        "restart_interrupted",
    )
    overwrite_rtif_after_execution = False

    def __init__(
        self,
        *,
        destination: str | None = None,
        dest_conn_id: str | None = None,
        restart_interrupted: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.dest_conn_id = dest_conn_id
        self.restart_interrupted = restart_interrupted

    def execute(self, context: Context) -> dict[str, Any]:
        """Check all, show all, then fail if need be."""
        self.check_arguments()
        destination = wanted_destination(self.destination, self.dest_conn_id)
        restart = check_flag(self.restart_interrupted, "restart_interrupted")
        try:
            identity, findings, tenants = self._look(destination, restart_interrupted=restart)
        except OceanBaseServerError as error:
            unreachable = Finding(
                "reachable", Level.FAIL, f"[{error.errno}] {error.message}", "an open connection", error.hint
            )
            context["ti"].xcom_push(key="return_value", value=self._report((unreachable,), None))
            raise
        findings = (Finding("reachable", Level.OK, "connected", "an open connection"), *findings)
        result = self._report(findings, identity)
        failed = [finding for finding in findings if finding.level is Level.FAIL]
        whole = [finding for finding in failed if not finding.tenants]
        if whole:
            context["ti"].xcom_push(key="return_value", value=result)
            raise PrerequisitesNotMetError("; ".join(map(_words, whole)))
        failures: dict[str, Exception] = {
            name: PrerequisitesNotMetError("; ".join(_words(finding) for finding in failed if name in finding.tenants))
            for name in dict.fromkeys(name for finding in failed for name in finding.tenants)
        }
        result["passed"] = True
        return self.conclude(result, failures, [name for name in tenants if name not in failures], context)

    def _look(
        self, destination: Destination | None, *, restart_interrupted: bool
    ) -> tuple[Identity | None, tuple[Finding, ...], list[str]]:
        with self.hook.session() as session:
            try:
                dialect = session.dialect
            except ValueError as error:  # not OceanBase, or a version that no dialect speaks
                return None, (Finding("version", Level.FAIL, redact(str(error)), "OceanBase 2.2.77 - 4.x"),), []
            findings = dialect.prerequisites(
                destination=destination, restart_interrupted=restart_interrupted, tenants=self.names
            )
            return dialect.identity(), findings, [tenant.name for tenant in dialect.tenants_in_scope(self.names)]

    def _report(self, findings: tuple[Finding, ...], identity: Identity | None) -> dict[str, Any]:
        rows = [(found.level, found.check, found.observed, found.expected, found.hint) for found in findings]
        headers = ("level", "check", "observed", "expected", "what to do")
        self.log.info("Prerequisites of log backup:\n%s", markdown_table(rows, headers=headers))
        passed = all(found.level is not Level.FAIL for found in findings)
        if identity:  # a grant may show the hash of a password
            identity = replace(identity, grants=tuple(redact(grant) for grant in identity.grants))
        return {"passed": passed, "findings": to_json(findings), "identity": to_json(identity)}


def _words(finding: Finding) -> str:
    return f"{finding.check}: {finding.observed}. {finding.hint}".strip()
