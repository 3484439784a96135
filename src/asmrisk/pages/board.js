"use strict";
// The slider of losses: amounts and chances are embedded, of all draws.
(() => {
  const { losses } = JSON.parse(document.getElementById("board-data").textContent);
  const slider = document.getElementById("loss");
  if (!losses || !slider) return;
  const amount = document.getElementById("loss-amount");
  const chance = document.getElementById("loss-chance");
  const show = () => {
    const at = slider.valueAsNumber;
    amount.textContent = losses.amounts[at];
    chance.textContent = losses.chances[at];
    slider.setAttribute("aria-valuetext", `more than ${losses.amounts[at]}: ${losses.chances[at]}`);
  };
  slider.addEventListener("input", show);
  show();
  document.body.classList.add("scripted");
})();
