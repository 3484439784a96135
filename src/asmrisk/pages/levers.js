"use strict";
// What a reader tries: levers of the form, compared by `asmLive`.
(() => {
  const { live } = JSON.parse(document.getElementById("board-data").textContent);
  const form = document.getElementById("try");
  if (!live || !form) return;
  const table = document.getElementById("try-table");
  const said = document.getElementById("try-said");
  const cost = document.getElementById("try-cost");
  let model = null;

  // As `asmrisk.analysis.digits` writes a number and its error: to the error's second digit.
  const places = (error) => 1 - Number(error.toExponential(1).split("e")[1]);
  const written = (value, digits) => {
    const unit = 10 ** Math.max(-digits, 0);
    const shown = Math.min(Math.max(digits, 0), 20);
    const rounded = digits < 0 ? Math.round(value / unit) * unit : value;
    return rounded.toLocaleString("en-US", { minimumFractionDigits: shown, maximumFractionDigits: shown });
  };
  const usd = (value, error) => {
    if (value === 0) return "$0";
    if (!(error > 0)) return `${value < 0 ? "-" : ""}$${written(Math.abs(value), 0)}${error === 0 ? " ± 0" : ""}`;
    const digits = places(error);
    return `${value < 0 ? "-" : ""}$${written(Math.abs(value), digits)} ± ${written(error, digits)}`;
  };

  // Give what the reader has set; nothing is left as it is.
  const levers = () => {
    const set = {};
    const { activities, interoperability, cost: range, complete } = form.elements;
    if (activities.value !== "") set.activities = Number(activities.value);
    if (interoperability.value !== "" && interoperability.validity.valid) {
      set.interoperability = interoperability.valueAsNumber;
    }
    if (range.valueAsNumber !== 0) set.cost = range.valueAsNumber;
    if (complete.checked) set.complete = true;
    const reported = [...form.querySelectorAll("[name=reported]:checked")].map((box) => box.value);
    if (reported.length) set.reported = reported;
    return set;
  };

  const sentence = (difference, error, before) => {
    const now = `Expected without it: ${usd(before.mean, before.error)}.`;
    if (difference === 0) return `The change brings nothing in any draw. ${now}`;
    if (Math.abs(difference) <= live.sure * error) {
      return `No difference found in all five years together: ${usd(difference, error)}. ${now}`;
    }
    const more = difference > 0 ? "more" : "less";
    const luck = error >= 0 ? "" : ", in draws too few to tell it from luck";
    return `All five years together: ${usd(Math.abs(difference), error)} ${more} for all clinicians${luck}. ${now}`;
  };

  const show = () => {
    const set = levers();
    table.setAttribute("aria-busy", "false");
    table.hidden = !Object.keys(set).length;
    if (table.hidden) {
      said.textContent = "Choose a change above.";
      return;
    }
    model ??= asmLive.open(live);
    const found = asmLive.compare(model, set);
    for (const row of table.querySelectorAll("[data-place]")) {
      const place = Number(row.dataset.place);
      [...row.cells].slice(1).forEach((cell, column) => {
        const year = column > 0 ? column - 1 : live.years.length; // all years first
        cell.textContent = usd(found.difference[place][year], found.error[place][year]);
      });
    }
    const [all, years] = [live.who.length - 1, live.years.length];
    const before = { mean: found.before[all][years], error: found.beforeError[all][years] };
    said.textContent = sentence(found.difference[all][years], found.error[all][years], before);
  };

  let waiting = 0;
  const soon = () => {
    const range = form.elements.cost;
    cost.textContent = range.valueAsNumber === 0 ? "as expected" : `${range.value}%`;
    range.setAttribute("aria-valuetext", cost.textContent);
    if (!model) said.textContent = "Computing…";
    table.setAttribute("aria-busy", "true");
    clearTimeout(waiting);
    waiting = setTimeout(show, 60);
  };
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  form.addEventListener("reset", () => setTimeout(soon));
  form.addEventListener("submit", (event) => event.preventDefault());
  soon();
  document.body.classList.add("scripted");
})();
