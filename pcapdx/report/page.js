// What makes the page handier where scripts run: fold, filter, sort, copy. Without it nothing is missing but these.
"use strict";
(() => {
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const status = make("p", { className: "unseen" });
  status.setAttribute("role", "status");
  document.body.append(status);

  // Each heading folds what follows it, down to the next heading of its kind.
  for (const heading of document.querySelectorAll("main > h2, main > section > h2")) {
    const button = make("button", { type: "button", className: "fold" });
    button.append(...heading.childNodes);
    button.setAttribute("aria-expanded", "true");
    heading.append(button);
    const folded = [];
    for (let next = heading.nextElementSibling; next && !next.matches("h2, section"); next = next.nextElementSibling) {
      folded.push(next);
    }
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      for (const one of folded) one.classList.toggle("folded", !open);
    });
  }

  // Commands and filters are there to be pasted elsewhere.
  for (const code of document.querySelectorAll("code.command")) {
    const text = code.textContent;
    const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
    button.setAttribute("aria-label", `Copy ${text}`);
    button.addEventListener("click", async () => {
      let copied = true;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        getSelection().selectAllChildren(code);
        copied = document.execCommand("copy");
      }
      button.textContent = copied ? "Copied" : "Selected";
      status.textContent = button.textContent;
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    const row = make("div", { className: "copied" });
    code.replaceWith(row);
    row.append(code, button);
  }

  // Numbers by size, words by the alphabet; a second click turns the order round.
  const key = (row, place) => row.cells[place] ? row.cells[place].textContent.trim() : "";
  const number = (text) => Number.parseFloat(text.replace(/^[^\d-]*/, "").replaceAll(",", ""));
  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    if (!body || body.rows.length < 3) continue;
    [...table.tHead.rows[0].cells].forEach((cell, place, cells) => {
      const button = make("button", { type: "button", className: "sort" });
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const down = cell.getAttribute("aria-sort") === "ascending";
        for (const other of cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].map((row) => [key(row, place), row]);
        const numbers = rows.every(([text]) => text === "" || text === "-" || !Number.isNaN(number(text)));
        rows.sort(([one], [other]) => numbers
          ? (number(one) || 0) - (number(other) || 0)
          : one.localeCompare(other));
        if (down) rows.reverse();
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  // A word hides every further finding and row without it; the first diagnosis and its proof always stay.
  const hideable = [...document.querySelectorAll("main > section:not(.more, .first), .more > article, main > ul > li, main > .scroll tbody tr")];
  if (hideable.length > 3) {
    const box = make("input", { type: "search", id: "filter", autocomplete: "off" });
    const label = make("label", { className: "filter", htmlFor: "filter", textContent: "Show only what contains " });
    label.append(box);
    const count = make("span", { className: "soft" });
    count.setAttribute("aria-live", "polite");
    label.append(" ", count);
    const first = hideable[0].closest("main > *");
    (first.matches("section") ? first : first.previousElementSibling).before(label);
    box.addEventListener("input", () => {
      const wanted = box.value.trim().toLowerCase();
      let shown = 0;
      for (const one of hideable) {
        const fits = one.textContent.toLowerCase().includes(wanted);
        one.classList.toggle("filtered", !fits);
        shown += fits;
      }
      count.textContent = wanted ? `${shown} of ${hideable.length}` : "";
    });
  }
})();
