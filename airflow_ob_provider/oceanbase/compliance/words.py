"""Texts in English and Chinese, side by side, so that neither is forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from airflow_ob_provider.oceanbase import words


class Text(NamedTuple):
    """One text in both languages."""

    en: str
    zh: str

    def __str__(self) -> str:
        return self.en

    def filled(self, **values: object) -> Text:
        """Both texts with the same values; a :class:`Text` gives each language its own."""
        en = {name: value.en if isinstance(value, Text) else value for name, value in values.items()}
        zh = {name: value.zh if isinstance(value, Text) else value for name, value in values.items()}
        return Text(self.en.format(**en), self.zh.format(**zh))


def same(text: object) -> Text:
    """Names, numbers and the server's own words are the same in both."""
    return Text(str(text), str(text))


def both(en: str, zh: str, **values: object) -> Text:
    """A text with its values filled in."""
    return Text(en, zh).filled(**values) if values else Text(en, zh)


def joined(texts: Iterable[Text]) -> Text:
    """Several texts as one."""
    found = list(texts)
    return Text("; ".join(text.en for text in found), "；".join(text.zh for text in found))


def few(names: Iterable[object], limit: int = 5) -> Text:
    """The first of many."""
    found = [str(name) for name in names]
    zh = "、".join(found[:limit]) + (f" 等共 {len(found)} 个" if len(found) > limit else "")
    return Text(words.few(found, limit=limit), zh)


def length(time: timedelta | float) -> Text:
    """A length of time in its two largest units."""
    seconds = time.total_seconds() if isinstance(time, timedelta) else float(time)
    sign, rest = ("-" if seconds < 0 else ""), abs(seconds)
    if rest < 60:
        return both("{n} s", "{n} 秒", n=f"{sign}{rest:.3g}")
    whole = round(rest)
    units = ((86400, "d", "天"), (3600, "h", "小时"), (60, "min", "分"), (1, "s", "秒"))
    parts: list[tuple[int, str, str]] = []
    for size, en, zh in units:
        count, whole = divmod(whole, size)
        if count and len(parts) < 2:
            parts.append((count, en, zh))
        elif parts:
            break
    en_text = " ".join(f"{count} {en}" for count, en, _ in parts)
    zh_text = " ".join(f"{count} {zh}" for count, _, zh in parts)
    return Text(sign + en_text, sign + zh_text)


def at(moment: datetime | None) -> Text:
    """A moment to the second, in the server's zone."""
    if moment is None:
        return Text("an unknown moment", "未知时刻")
    return same(moment.isoformat(sep=" ", timespec="seconds"))


def percent(value: float) -> Text:
    """A share."""
    return same(f"{value:.1f} %")
