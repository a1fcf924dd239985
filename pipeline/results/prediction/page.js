"use strict";
// Shows the rows that have a label, the most probable first, and those whose name holds a text.
(() => {
  const gallery = document.getElementById("rows");
  const cards = [...gallery.querySelectorAll(".row")];
  const label = document.getElementById("label");
  const name = document.getElementById("name");

  function probability(card) {
    for (const chip of card.querySelectorAll("li[data-decided]"))
      if (chip.dataset.label === label.value) return Number(chip.dataset.p);
    return -1;
  }

  function show() {
    const text = name.value.trim().toLowerCase();
    const found = cards.map((card) => [label.value ? probability(card) : 0, Number(card.dataset.place), card]);
    found.sort((one, other) => other[0] - one[0] || one[1] - other[1]);
    let count = 0;
    for (const [p, , card] of found) {
      card.hidden = p < 0 || !card.dataset.name.includes(text);
      count += card.hidden ? 0 : 1;
      gallery.append(card);
    }
    document.getElementById("count").textContent = `${count} of ${cards.length} shown`;
  }

  label.addEventListener("change", show);
  name.addEventListener("input", show);
  show();
})();
