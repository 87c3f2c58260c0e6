"use strict";

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent;
    const number = Number(text);
    return text === "" ? null : Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button?.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return down ? compare(b, a) : compare(a, b);
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}

for (const input of document.querySelectorAll("input[data-filters]")) {
  const table = document.getElementById(input.dataset.filters);
  const body = table.tBodies[0];
  const fold = table.closest("details");
  input.hidden = false;
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase();
    if (fold) fold.open = true;
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(words);
  });
}

for (const chart of document.querySelectorAll("svg.curve")) {
  const left = Number(chart.dataset.left);
  const right = Number(chart.dataset.right);
  const cursor = chart.querySelector(".cursor");
  const readout = chart.querySelector(".readout");
  const series = [...chart.querySelectorAll("g[data-points]")].map((group) => ({
    label: group.dataset.label,
    number: group.dataset.number,
    points: group.dataset.points.split(" ").map((pair) => pair.split(",").map(Number)),
  }));
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
    const low = Number(chart.dataset.low);
    const at = low + ((x - left) / (right - left)) * (Number(chart.dataset.top) - low);
    const inside = at >= low && x <= right;
    cursor.setAttribute("x1", inside ? x : -9);
    cursor.setAttribute("x2", inside ? x : -9);
    const booted = (points) => points.findLast(([seconds]) => seconds <= at)?.[1] ?? 0;
    const said = series.map(
      ({ label, number, points }) =>
        `${series.length > 1 ? `${label}: ` : ""}${booted(points)} of ${number}`,
    );
    readout.textContent = inside ? `${at.toFixed(3)} s   ${said.join("   ")}` : "";
  });
  chart.addEventListener("pointerleave", () => {
    cursor.setAttribute("x1", -9);
    cursor.setAttribute("x2", -9);
    readout.textContent = "";
  });
}
