"""The command line: a ready line, work, a clean end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading

import pymysql
import pytest

from airflow_ob_provider.sandbox import __main__ as cli


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_start_and_stop(number):
    command = [sys.executable, "-m", "airflow_ob_provider.sandbox", "--profile", "3.1.2", "--tenants", "1"]
    process = subprocess.Popen(
        [*command, "--servers", "2", "--port", "0", "--speed", "30", "--proxy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        ready = process.stdout.readline()
        match = re.fullmatch(
            r"sandbox ready: host=127\.0\.0\.1 port=(\d+) login=root@sys#obcluster profile=3\.1\.2\n", ready
        )
        assert match, ready
        connection = pymysql.connect(
            host="127.0.0.1", port=int(match[1]), user="root@sys#obcluster", database="oceanbase"
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SHOW PARAMETERS LIKE 'backup_dest'")
            assert len(cursor.fetchall()) == 2
            cursor.execute("ALTER SYSTEM SET backup_dest='oss://b/d?access_key=TOPSECRET'")
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0, errors
        assert "TOPSECRET" not in errors
        assert "Traceback" not in errors
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("profile", ["3.2.4", "4.0.0", "4.3.3"])
def test_main_in_process(capsys, profile):
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    timer.start()
    try:
        assert cli.main(["--port", "0", "--servers", "1", "--profile", profile, "--tick-seconds", "2"]) == 0
    finally:
        timer.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert capsys.readouterr().out.startswith("sandbox ready: host=127.0.0.1 port=")


def test_unknown_profile(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--profile", "5.0.0"])
    assert "invalid choice" in capsys.readouterr().err
