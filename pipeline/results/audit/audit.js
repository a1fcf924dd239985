"use strict";
// Verdicts on the cards of an audit: by button or key, kept in the browser, downloaded as verdicts.csv.
(() => {
  const gallery = document.getElementById("suspects");
  const cards = [...gallery.querySelectorAll(".suspect")];
  const place = `d2ace audit ${gallery.dataset.data} ${gallery.dataset.run}`;
  const keys = { y: "present", n: "absent", u: "unsure", Backspace: "", Delete: "" };
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  const name = (card) => JSON.stringify([card.dataset.row, card.dataset.label]);

  function kept() {
    try { return JSON.parse(localStorage.getItem(place)) || {}; } catch { return {}; } // storage may be forbidden
  }

  function show(card, verdict) {
    if (verdict) card.dataset.verdict = verdict; else delete card.dataset.verdict;
    for (const button of card.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
  }

  function report() {
    const said = cards.filter((card) => card.dataset.verdict).length;
    document.getElementById("progress").textContent = `${said} of ${cards.length} looked at`;
  }

  function decide(card, verdict) {
    for (const twin of cards.filter((other) => name(other) === name(card))) show(twin, verdict);
    const all = kept(); // verdicts of an earlier audit of the same data stay
    if (verdict) all[name(card)] = verdict; else delete all[name(card)];
    try { localStorage.setItem(place, JSON.stringify(all)); } catch { /* what is on the page can still be downloaded */ }
    report();
  }

  function go(card, step) {
    const next = cards[cards.indexOf(card) + step];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  }

  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  function table() {
    const said = { ...kept() };
    for (const card of cards)
      if (card.dataset.verdict) said[name(card)] = card.dataset.verdict; else delete said[name(card)];
    const lines = Object.entries(said).map(([key, verdict]) => [...JSON.parse(key), verdict, gallery.dataset.data]);
    return [["row", "label", "verdict", "data"], ...lines].map((line) => line.map(quoted).join(",")).join("\n") + "\n";
  }

  gallery.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const card = button.closest(".suspect");
    decide(card, card.dataset.verdict === button.dataset.verdict ? "" : button.dataset.verdict);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const card = document.activeElement && document.activeElement.closest(".suspect");
    if (event.key in steps) {
      event.preventDefault();
      if (card) go(card, steps[event.key]); else if (cards.length) go(cards[0], 0);
    } else if (card && event.key in keys) {
      event.preventDefault();
      decide(card, keys[event.key]);
      if (keys[event.key]) go(card, 1);
    }
  });

  document.getElementById("download").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
    link.download = "verdicts.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });

  const before = kept();
  for (const card of cards) show(card, before[name(card)] || "");
  report();
})();
