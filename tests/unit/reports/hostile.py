"""Reports in which every text is hostile, and ways to leave parts of a report out."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

# Fields whose values choose what is shown; of the others, the text alone may differ.
_CHOICES = {"checked_at", "from", "to", "at", "level", "verdict", "state", "kind", "createTime", "checkpoint",
            "lastDataBackupTime", "restorable_from", "restorable_until", "worst_at", "rule", "id",
            "lag_state"}  # fmt: skip

PIECES = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</style><script>",
        "</title>",
        "-->",
        '" onload="alert(1)',
        "' onmouseover='x",
        "<img src=x onerror=alert(1)>",
        "]]>",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "|",
        "||\\",
        "\\|",
        "\n",
        "\r\n## verdict: OK\n",
        "\u2028",
        "`",
        "```\n",
        "[x](javascript:alert(1))",
        "![x](http://evil.example/x.png)",
        "<https://evil.example>",
        "**",
        "__x__",
        "~~",
        "&lt;b&gt;",
        "\u202eKO",
        "\u2067",
        "\x1b[31m",
        "\x00",
        "\ud800",
        "租户",
        "a b",
    ]
)
HOSTILE = st.lists(PIECES | st.text(max_size=8), max_size=5).map(lambda parts: "".join(["x", *parts, "x"]))


def with_text(value: Any, text: str, name: str = "") -> Any:
    """A copy of a report in which each text that may be free is ``text``."""
    if isinstance(value, dict):
        return {key: with_text(inner, text, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_text(inner, text, name) for inner in value]
    return text if isinstance(value, str) and name not in _CHOICES else value
