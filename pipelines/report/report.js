"use strict";
// Values under the pointer, read back from the lines as they are drawn.
for (const plot of document.querySelectorAll(".plot[data-x]")) {
  const [first, last] = plot.dataset.x.split(" ").map(Number);
  const [low, high, scale, kind] = plot.dataset.y.split(" ").map((part) => (isNaN(part) ? part : Number(part)));
  const drawing = plot.querySelector("svg");
  const lines = [...plot.querySelectorAll("path[data-label]")].map((path) => ({
    label: path.dataset.label,
    points: path.getAttribute("d").split(/[ML]/).slice(1).map((pair) => pair.split(" ").map(Number)),
  }));
  const rule = document.createElement("div"), values = document.createElement("div");
  rule.className = "rule";
  values.className = "values";
  rule.hidden = values.hidden = true;
  plot.append(rule, values);
  const written = (place) => {
    const share = 1 - place / 1000;
    const value = scale === "log" ? low * (high / low) ** share : low + (high - low) * share;
    return kind === "percent" ? `${(value * 100).toFixed(1)} %` : value.toFixed(value < 10 ? 2 : 1);
  };
  const day = (place) => new Date(Math.round(first + (last - first) * place / 1000 - 719163) * 864e5);
  const show = (event) => {
    const box = drawing.getBoundingClientRect(), outer = plot.getBoundingClientRect();
    const wanted = (event.clientX - box.left) / box.width * 1000;
    const nearest = (points) => points.reduce((one, two) => Math.abs(two[0] - wanted) < Math.abs(one[0] - wanted) ? two : one);
    const at = nearest(lines[0].points)[0];
    values.replaceChildren(...[day(at).toISOString().slice(0, 10), ...lines.map((line) =>
      `${line.label}: ${written(nearest(line.points)[1])}`)].map((text) => {
      const row = document.createElement("div");
      row.textContent = text;
      return row;
    }));
    rule.hidden = values.hidden = false;
    const x = box.left - outer.left + box.width * at / 1000;
    Object.assign(rule.style, {left: `${x}px`, top: `${box.top - outer.top}px`, height: `${box.height}px`});
    const left = x + 12 + values.offsetWidth > outer.width ? x - 12 - values.offsetWidth : x + 12;
    Object.assign(values.style, {left: `${Math.max(0, left)}px`, top: `${box.top - outer.top + 4}px`});
  };
  plot.addEventListener("pointermove", show);
  plot.addEventListener("pointerdown", show);
  plot.addEventListener("pointerleave", () => { rule.hidden = values.hidden = true; });
}
// A click on a column's name sorts by it: numbers from the highest, again from the lowest; what is not known comes last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        if (!cell.classList.contains("n")) return cell.textContent;
        return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
      };
      const order = (one, two) => {
        const [a, b] = [key(one), key(two)];
        if (a === null || b === null) return (a === null) - (b === null);
        const sign = typeof a === "string" ? a.localeCompare(b) : a - b;
        return falling ? -sign : sign;
      };
      body.append(...[...body.rows].sort(order));
    });
  });
}
