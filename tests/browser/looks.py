"""What a person would call hard to read, found by the browser itself."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator

from demo.browser import settled

LEAST_CONTRAST = 4.5
"""WCAG 2.2, level AA, for text of ordinary size."""

_TEXTS = """
root => {
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  context.canvas.width = context.canvas.height = 1;
  const rgba = color => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = color => {
    const [r, g, b] = color.slice(0, 3).map(c => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      layers.push(rgba(getComputedStyle(e).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const found = [];
  for (const element of [root, ...root.querySelectorAll('*')]) {
    const nodes = [...element.childNodes].filter(n => n.nodeType === Node.TEXT_NODE);
    const own = nodes.map(n => n.textContent.trim()).join(' ').trim();
    const visible = element.checkVisibility({opacityProperty: true, visibilityProperty: true});
    if (!own || !visible || element.closest('svg, style, script, [aria-hidden=true], [disabled]')) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const [a, b] = [light(over(rgba(style.color), ground)), light(ground)].sort((x, y) => y - x);
    // What is a pixel wide is there for a screen reader.
    const cuts = /hidden|clip/.test(style.overflowX) && element.clientWidth > 1;
    found.push({
      text: own.slice(0, 60),
      contrast: Math.round((a + 0.05) / (b + 0.05) * 100) / 100,
      cut: cuts && element.scrollWidth > element.clientWidth + 1,
    });
  }
  return found;
}
"""


def texts(root: Locator) -> list[dict[str, Any]]:
    """All visible texts below an element, each with its contrast to what is behind it, and whether it is cut off."""
    found: list[dict[str, Any]] = settled(root).evaluate(_TEXTS)
    return found


def hard_to_read(root: Locator) -> list[str]:
    """Texts that are too faint, or cut off, and why."""
    found = texts(root)
    assert found, "there is no text at all"
    faint = [one for one in found if one["contrast"] < LEAST_CONTRAST]
    why = [f"{one['text']!r} has a contrast of {one['contrast']}" for one in faint]
    return why + [f"{one['text']!r} is cut off" for one in found if one["cut"]]
