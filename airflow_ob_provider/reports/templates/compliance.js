"use strict";
// Only adds a filter above a long table; everything can be read without it.
for (const box of document.querySelectorAll("[data-filter]")) {
  const rows = Array.from(box.querySelectorAll("tbody tr"));
  const label = document.createElement("label");
  const input = document.createElement("input");
  const shown = document.createElement("output");
  label.className = "filter";
  input.type = "search";
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = wanted ? count + " / " + rows.length : "";
  });
  label.append(box.dataset.filter, input, shown);
  box.prepend(label);
}
