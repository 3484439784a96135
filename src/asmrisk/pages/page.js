"use strict";
// Sorting: a click on a head of a table orders its rows, a second one turns the order around.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  const number = (text) => parseFloat(text.replace("−", "-").replace(/^(below|above) |[$,%]/g, ""));
  heads.forEach((head, column) => {
    if (head.tagName !== "TH" || table.tBodies[0].rows.length < 2) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].map((row) => [row.cells[column].textContent.trim(), row]);
      const numeric = rows.some(([text]) => !Number.isNaN(number(text)));
      const value = ([text]) => (Number.isNaN(number(text)) ? -Infinity : number(text));
      rows.sort((a, b) => (numeric ? value(a) - value(b) : a[0].localeCompare(b[0])));
      if (down) rows.reverse();
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}
