"""From a setting that is to the one that is wanted: what to send, place by place, or why it cannot be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.models import Scope

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.statements import Statement


@dataclass(frozen=True)
class Change:
    """What one place (the cluster, or a tenant) lacks. Read again after each statement, it gets shorter."""

    place: str
    """The tenant's name, or what stands for the cluster."""
    before: str
    """The setting as it is, redacted."""
    after: str
    """As it will be, redacted; the same where nothing is to be done."""
    statements: tuple[Statement, ...] = ()
    """To be sent in this order."""
    refusal: str = ""
    """Why the wish cannot be met as things stand, and the way out; nothing is sent then."""
    to_mandatory: bool = False
    """Whether it makes users' writes wait for log backup, which they did not before."""
    unset: bool = False
    """There is no destination yet, so what belongs to it cannot be set; a dry run has not set it either."""
    scope: Scope = Scope.TENANT
    settled: bool = True
    """False while the servers of the place show different values, as they do for a moment after a change."""
