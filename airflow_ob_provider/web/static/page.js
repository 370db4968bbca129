"use strict";
// Everything can be read and done without this. It follows Airflow's theme and opens Airflow's own pages in its window.
const outer = (() => {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null;
  }
})();

function follow() {
  const dark = outer.document.documentElement.classList.contains("dark");
  document.getElementById("dark").media = dark ? "screen" : "not all";
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
}

if (outer) {
  follow();
  new MutationObserver(follow).observe(outer.document.documentElement, { attributeFilter: ["class"] });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    // Airflow's frame forbids this page to leave it; a link of the outer page may.
    event.preventDefault();
    const own = outer.document.createElement("a");
    own.href = link.href;
    outer.document.body.append(own);
    own.click();
    own.remove();
  });
}
