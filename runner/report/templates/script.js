"use strict";
// The page is complete without this script; it adds sorting, selecting, hovering and, when served, updates.
(function () {
  const root = document.documentElement;
  const chosen = {}; // choices of the reader, preserved when a live page is replaced
  root.classList.add("js");

  // A table is sorted by the numbers in data-v, else by its text; missing values go to the end.
  function sortTable(button) {
    const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
    const column = [...head.parentNode.children].indexOf(head);
    const turn = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
    const key = (row) => {
      const cell = row.cells[column];
      if (!("v" in cell.dataset)) return cell.textContent.trim();
      return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    };
    const rows = [...body.rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return turn * (typeof a === "number" ? a - b : a.localeCompare(b));
    });
    body.append(...rows.map(([, row]) => row));
  }

  // A select shows the element of its group with the chosen value.
  function choose(select) {
    chosen[select.id] = select.value;
    const group = select.dataset.group;
    const values = [...document.querySelectorAll(`select[data-group="${group}"]`)].map((s) => s.value);
    for (const part of document.querySelectorAll(`.pick[data-group="${group}"]`))
      part.hidden = part.dataset.value !== values.join("|");
  }

  function isolate(button) {
    const only = button.getAttribute("aria-pressed") !== "true";
    const figure = button.closest("figure, .group");
    for (const other of figure.querySelectorAll(".legend button")) other.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-pressed", String(only));
    figure.classList.toggle("only", only);
    for (const shape of figure.querySelectorAll(".plot .s"))
      shape.classList.toggle("on", shape.classList.contains(button.dataset.m));
  }

  // Hovering: tooltips of shapes, and for curves all values at a place.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "status");

  function show(panel, x, y, fill) {
    tip.replaceChildren();
    fill(tip);
    if (tip.parentNode !== panel) panel.append(tip);
    tip.hidden = false;
    const room = panel.clientWidth - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(room, x + 14 > room ? x - tip.offsetWidth - 14 : x + 14))}px`;
    tip.style.top = `${Math.max(0, y - tip.offsetHeight - 8)}px`;
  }
  function hide() {
    tip.hidden = true;
    for (const line of document.querySelectorAll(".cursor")) line.remove();
  }

  const number = (v) => v === null ? "–" : Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-4) ? v.toExponential(2) : String(Number(v.toPrecision(4)));

  function valueAt(line, x) {
    let at = -1, near = Infinity;
    for (let i = 0; i < line.x.length; i++) {
      if (line.x[i] === null) continue;
      if (line.step) { if (line.x[i] <= x * (1 + 1e-9)) at = i; } else if (Math.abs(line.x[i] - x) < near) { near = Math.abs(line.x[i] - x); at = i; }
    }
    return at < 0 ? null : line.y[at];
  }

  let panels = {};
  function tellCurves(panel, share) {
    const data = panels[panel.dataset.panel], svg = panel.querySelector("svg");
    const [left, top, right, bottom] = data.box, [low, high] = data.from;
    share = Math.max(0, Math.min(1, share));
    panel.dataset.share = share;
    let x = data.log ? low * (high / low) ** share : low + share * (high - low);
    const grid = data.lines.flatMap((line) => line.x).filter((v) => v !== null);
    x = grid.reduce((best, v) => (Math.abs(v - x) < Math.abs(best - x) ? v : best), grid[0]);
    const place = left + (right - left) * (data.log ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low));
    hideCursor(panel);
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("d", `M${place} ${top}V${bottom}`);
    svg.append(cursor);
    const scale = svg.clientWidth / data.size[0];
    const found = data.lines.map((line) => [line, valueAt(line, x)]).filter(([, v]) => v !== null).sort((a, b) => a[1] - b[1]);
    show(panel, place * scale, svg.offsetTop + (top + 30) * scale, (box) => {
      const head = document.createElement("b"), table = document.createElement("table");
      head.textContent = `${number(x)} ${data.label.split(",")[0]}`;
      for (const [line, value] of found) {
        const row = table.insertRow();
        row.insertCell().textContent = line.name;
        row.insertCell().textContent = number(value);
      }
      box.append(head, table);
    });
  }
  function hideCursor(panel) {
    for (const line of panel.querySelectorAll(".cursor")) line.remove();
  }

  function shareOf(panel, event) {
    const data = panels[panel.dataset.panel], box = panel.querySelector("svg").getBoundingClientRect();
    return ((event.clientX - box.left) / (box.width / data.size[0]) - data.box[0]) / (data.box[2] - data.box[0]);
  }

  document.addEventListener("pointermove", (event) => {
    const panel = event.target.closest && event.target.closest(".panel");
    if (!panel) return tip.hidden || hide();
    const shape = event.target.closest("[data-t]");
    if (shape) {
      const box = panel.getBoundingClientRect();
      show(panel, event.clientX - box.left, event.clientY - box.top, (into) => { into.textContent = shape.dataset.t; });
    } else if (panels[panel.dataset.panel] && event.target.closest("svg")) tellCurves(panel, shareOf(panel, event));
    else hide();
  });
  document.addEventListener("keydown", (event) => {
    const panel = event.target.closest && event.target.closest(".panel[tabindex]");
    if (event.key === "Escape") return hide();
    if (!panel || !panels[panel.dataset.panel] || !event.key.startsWith("Arrow")) return;
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    tellCurves(panel, Number(panel.dataset.share || 0.5) + step);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("change", (event) => { if (event.target.matches("select[data-group]")) choose(event.target); });
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button");
    if (!button) return;
    if (button.closest("th")) sortTable(button);
    else if (button.dataset.m) isolate(button);
    else if (button.classList.contains("copy")) copy(button);
  });

  function copy(button) {
    const text = document.getElementById(button.dataset.of).textContent;
    const confirm = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
    const byHand = () => { // a page opened from disk may have no clipboard: select the text instead
      const range = document.createRange();
      range.selectNodeContents(document.getElementById(button.dataset.of));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (document.execCommand("copy")) confirm();
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(confirm, byHand); else byHand();
  }

  function begin() {
    panels = JSON.parse(document.getElementById("panels").textContent);
    for (const panel of document.querySelectorAll(".panel[data-panel]"))
      if (panels[panel.dataset.panel]) panel.tabIndex = 0;
    for (const select of document.querySelectorAll("select[data-group]")) {
      const value = chosen[select.id]; // a page with later trials may no longer offer it
      if ([...select.options].some((option) => option.value === value)) select.value = value;
      choose(select);
    }
  }
  begin();
  window.addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });

  // A served page polls for updates, and takes the new content over without losing the scroll position.
  if (document.body.dataset.live) {
    let known = document.body.dataset.live;
    const ask = async () => {
      try {
        const state = await (await fetch("state", { cache: "no-store" })).json();
        const line = document.getElementById("live");
        if (line) line.textContent = state.line;
        if (state.version !== known) {
          const text = await (await fetch("./", { cache: "no-store" })).text();
          const fresh = new DOMParser().parseFromString(text, "text/html");
          known = fresh.body.dataset.live;
          const open = [...document.querySelectorAll("details[open][id]")].map((part) => part.id);
          hide();
          document.getElementById("page").replaceWith(fresh.getElementById("page"));
          for (const id of open) { const part = document.getElementById(id); if (part) part.open = true; }
          begin();
        }
        if (state.over) return;
      } catch (error) {
        const line = document.getElementById("live");
        if (line) line.textContent = "The server has ended; this is its last state.";
        return;
      }
      setTimeout(ask, 2000);
    };
    setTimeout(ask, 2000);
  }
})();
