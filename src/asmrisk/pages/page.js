"use strict";
// Sorting: a click on a head of a table orders its rows, a second one turns the order around.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  // What a cell is worth; undefined if it is no number, with or without an error, a range or an interval.
  const figure = "[-−+]?\\$?[-−]?(\\d[\\d,]*\\.?\\d*|\\.\\d+)(e[-+]?\\d+)?%?";
  const numeral = new RegExp(`^(?:below |above |at most )?(${figure})(?: ± .*| to ${figure}|-\\d+| \\(.*\\)| in 100 .*)?$`);
  const value = (text) => {
    if (["", "n/a", "–"].includes(text)) return -Infinity;
    if (["nothing", "none"].includes(text)) return 0;
    const found = numeral.exec(text);
    return found ? parseFloat(found[1].replaceAll("−", "-").replace(/[$,%]/g, "")) : undefined;
  };
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
      const numeric = rows.every(([text]) => value(text) !== undefined);
      const [keys, turn] = [new Map(rows.map(([text, row]) => [row, numeric ? value(text) : text])), down ? -1 : 1];
      const order = numeric ? (a, b) => (a > b) - (a < b) : (a, b) => a.localeCompare(b);
      const sorted = rows.map(([, row]) => row).sort((a, b) => turn * order(keys.get(a), keys.get(b)));
      table.tBodies[0].append(...sorted);
    });
  });
}
