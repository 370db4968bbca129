"""A report as a page of HTML."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from airflow_ob_provider.reports import LANGUAGES, html
from airflow_ob_provider.reports.language import _WORDS, Language
from tests.unit.reports.hostile import HOSTILE, with_text
from tests.unit.reports.samples import SAMPLES, at, gap, green, large, mixed, red, text, window

VOID = {"meta", "br", "input"}


class Outline(HTMLParser):
    """Elements, attributes and text of a page; fails where elements do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script", "code"}:
            self.words.append(data)


@pytest.mark.parametrize(("name", "language"), [("green", "en"), ("red", "zh"), ("mixed", "en"), ("mixed", "zh")])
def test_golden(name: str, language: str, same_as_golden: Callable[[str, str], None]) -> None:
    same_as_golden(f"{name}-{language}.html", html(SAMPLES[name](), language))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SAMPLES)
def test_page_is_well_formed_and_accessible(name: str, language: str) -> None:
    page = Outline(html(SAMPLES[name](), language))
    ids = [value for key, value in page.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    pointed = [value for key, value in page.attributes if key in ("aria-labelledby", "href")]
    assert {one.lstrip("#") for value in pointed for one in value.split()} <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    pictures = [names for tag, names in page.elements if tag == "svg" and "role" in names]
    assert all("aria-labelledby" in names for names in pictures)
    assert pictures


def test_page_loads_nothing_and_runs_only_its_own_script() -> None:
    made = html(mixed())
    page = Outline(made)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base", "form", "foreignobject"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in {"src", "srcset", "style"}]
    assert {value[0] for name, value in page.attributes if name == "href"} == {"#"}
    assert not re.search(r"@import|url\((?!#)", made)
    (script,) = re.findall("<script>(.*?)</script>", made, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [value for name, value in page.attributes if name == "content" and "default-src" in value]
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_chinese_page_has_no_english_but_names_and_words_of_the_server() -> None:
    page = Outline(html(mixed(), "zh"))
    words = set(re.findall(r"\b[A-Z]?[a-z]{2,}\b", " ".join(page.words)))
    names = (
        "OceanBase obprod oceanbase_default pay_core orders crm archive_test fresh li.wei wang.fang ops@example.com "
        "airflow-ob-provider archive log backup parameters status "
    )
    written_by_people = "Drill moved to December Legal hold"
    assert words - set(re.findall("[A-Za-z]+", names + written_by_people)) == set()


def test_both_languages_have_every_word_with_the_same_places() -> None:
    for name, (english, chinese) in _WORDS.items():
        places = [set(re.findall(r"{(\w+)}", one)) - {"s"} for one in (english, chinese)]
        assert places[0] == places[1], name
        assert english
        assert chinese


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("report", [{}, {"tenants": None, "rules": 3, "lag_history": [], "cluster": "x", "policy": 1}])
def test_a_report_of_nothing_is_unknown(report: dict[str, Any], language: str) -> None:
    made = html(report, language)
    Outline(made)
    assert '<section class="verdict UNKNOWN"' in made


@pytest.mark.parametrize("part", sorted(green()))
def test_any_part_may_be_missing(part: str) -> None:
    for sample in SAMPLES.values():
        report = sample()
        del report[part]
        Outline(html(report))


@pytest.mark.parametrize("junk", [None, "x", 7, [], {}, [None, 3, "x", []], {"x": None}, float("nan"), True])
def test_any_value_may_be_junk(junk: Any) -> None:
    report = mixed()
    for part in report:
        Outline(html({**report, part: junk}))
    tenant = report["tenants"][1]
    for part in tenant:
        Outline(html({"checked_at": report["checked_at"], "tenants": [tenant | {part: junk}]}))
    for part in report["lag_history"]:
        Outline(html({"lag_history": report["lag_history"] | {part: junk}}))
    for name in ("findings", "rules", "waivers"):
        Outline(html({name: [report[name][0] | {part: junk} for part in report[name][0]]}))
    rows = [{part: junk for part in tenant["windows"][0]}, {part: junk for part in tenant["gaps"][0]}]
    Outline(html({"tenants": [tenant | {"windows": rows[:1], "gaps": rows[1:]}]}))


def test_a_thousand_tenants_make_a_page_of_bounded_size_in_bounded_time() -> None:
    report = large()
    started = time.process_time()
    made = html(report)
    assert time.process_time() - started < 10
    assert len(made.encode()) < 1_000_000
    assert made.count('<article class="tenant') == 30
    assert "970 more tenants, 930 of them OK" in made


def test_many_gaps_are_bounded_as_well() -> None:
    report = large(40)
    why = text("Piece 12 is missing. " * 20, "第 12 个分片缺失。" * 20)
    gaps = [gap(str(hour), at(hours=hour), at(hours=hour, minutes=-20), "piece_missing", why) for hour in range(300)]
    windows = [window(at(hours=hour, minutes=-20), at(hours=hour - 1), hour, 3) for hour in range(300)]
    report["tenants"] = [
        row | {"verdict": "FAIL", "gaps": [one | {"open": True} for one in gaps[:20]] + gaps, "windows": windows}
        for row in report["tenants"][:40]
    ]
    assert len(html(report).encode()) < 10_000_000


def test_tenants_without_windows_and_windows_of_no_length() -> None:
    report = green()
    report["tenants"] = [row | {"windows": [], "gaps": []} for row in report["tenants"]]
    assert "No recoverable window." in html(report)
    now = report["checked_at"]
    report["tenants"][0]["windows"] = [window(now, now, 1, 1)]
    made = html(report)
    assert "nan" not in made.lower().replace("tenant", "")
    assert '<rect class="window" x="0.0%"' in made or '<rect class="window" x="' in made


def test_expired_waivers_are_loud() -> None:
    assert "Expired waivers, which no longer count: 1." in html(mixed())
    assert 'class="alarm"' not in html(red())


def test_words_of_ocp() -> None:
    words = Language("zh")
    states = ("BEGINNING", "RUNNING", "STOPPING", "STOPPED", "INTERRUPTED", "SUSPENDING", "SUSPENDED", "NEW_WORD")
    assert [words.state(state) for state in states] == [
        "启动中", "进行中", "停止中", "已停止", "已中断", "暂停中", "已暂停", "NEW_WORD"
    ]  # fmt: skip
    assert [words.level(level) for level in ("FAIL", "WARN", "UNKNOWN", "OK")] == ["严重", "警告", "未知", "正常"]


@settings(max_examples=60, deadline=None)
@given(HOSTILE)
def test_hostile_text_does_not_break_out(hostile: str) -> None:
    report = mixed()
    pages = [Outline(html(with_text(report, word))) for word in ("x", hostile)]
    assert pages[0].elements == pages[1].elements
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", "".join(pages[1].words))


def test_hostile_words_where_a_choice_is_due() -> None:
    report = mixed()
    bad = '"><script>alert(1)</script>'
    for row in (*report["tenants"], *report["findings"], *report["rules"], *report["waivers"]):
        for name in {"level", "verdict", "status", "state", "lag_state", "rule"} & set(row):
            row[name] = bad
    made = html(report | {"verdict": bad, "checked_at": bad})
    assert made.count("<script") == 1
    Outline(made)


def test_secrets_are_masked_once_more() -> None:
    report = red()
    report["policy"]["access_key"] = "hush"
    report["evidence"]["queries"][0]["sample"] = [{"value": "oss://b?access_key=hush", "secret": "hush"}]
    assert "hush" not in html(report)
