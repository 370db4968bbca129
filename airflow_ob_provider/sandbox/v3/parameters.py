"""The parameters of 3.x that concern backup, with their defaults (``src/share/parameter/ob_parameter_seed.ipp``)."""

from __future__ import annotations

from airflow_ob_provider.sandbox.parameters import Parameter, anything, boolean, capacity, duration, integer
from airflow_ob_provider.sandbox.values import HOUR

from .options import archive_option_is_valid
from .profiles import Profile


def definitions(profile: Profile, cluster: str, cluster_id: int) -> dict[str, Parameter]:
    """The parameters of a build with their defaults (``src/share/parameter/ob_parameter_seed.ipp``)."""

    def archive_option(text: str) -> bool:
        return archive_option_is_valid(text, encryption_tokens=profile.encryption_tokens)

    log_concurrency = "concurrency  for log_archive_sender and log_archive_spiterRange: [0, ] in integer"
    all_parameters = [
        Parameter("auto_delete_expired_backup", "False", "control if auto delete expired backup", boolean, True),
        Parameter("backup_backup_dest", "", "backup backup dest", anything),
        Parameter("backup_concurrency", "0", "backup concurrency limit. Range: [0, 100] in integer",
                  integer(0, 100)),
        Parameter("backup_dest", "", "backup dest", anything),
        Parameter("backup_log_archive_option", profile.archive_option,
                  "backup log archive option, support MANDATORY/OPTIONAL, COMPRESSION", archive_option),
        Parameter("backup_net_limit", "0M", "backup net limit for whole cluster", capacity(0)),
        Parameter("backup_recovery_window", "0", "backup expired day limit", duration(0)),
        Parameter("backup_region", "", "user suggest backup region", anything),
        Parameter("cluster", cluster, "Name of the cluster", anything),
        Parameter("cluster_id", str(cluster_id), "ID of the cluster", integer(1)),
        Parameter("enable_log_archive", "False", "control if enable log archive", boolean, True),
        Parameter("enable_major_freeze", "True", "specifies whether major_freeze function is turned on",
                  boolean, True),
        Parameter("gc_wait_archive", "True", "control whether gc waits for archive", boolean, True),
        Parameter("log_archive_batch_buffer_limit", "1G", "Buffer limit for log archive", capacity(4 * 2**20)),
        Parameter("log_archive_checkpoint_interval", "120s", "control interval of generating log archive "
                  "checkpoint for cold partition", duration(5, HOUR)),
        Parameter("log_archive_concurrency", "0", log_concurrency, integer(0)),
        Parameter("minor_freeze_times", "5", "specifies how many minor freeze will trigger a major freeze",
                  integer(0, 65535)),
        Parameter("_backup_idle_time", "5m", "the time interval between the schedules of backup", duration(10)),
        Parameter("_backup_retry_timeout", "10m", "the timeout of a backup retry", duration(10)),
    ]  # fmt: skip
    if profile.pieces:
        all_parameters += [
            Parameter("backup_dest_option", "", "backup_dest_option", anything),
            Parameter("backup_backup_dest_option", "", "backup_backup_dest_option", anything),
            Parameter("backup_zone", "", "user suggest backup zone, format like z1,z2;z3,z4;z5", anything),
        ]
    return {p.name: p for p in sorted(all_parameters, key=lambda p: p.name)}
