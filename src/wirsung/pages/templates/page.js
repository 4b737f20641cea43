"use strict";
// Tables sort by a click on a column's head, or Enter where it has the focus. Without script they stay as they are.
for (const head of document.querySelectorAll("thead th")) {
  const table = head.closest("table");
  const column = [...head.parentNode.children].indexOf(head);
  const sort = () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const key = (row) => {
      const cell = row.children[column];
      return cell.dataset.order === undefined ? cell.textContent : Number(cell.dataset.order.replace("inf", "Infinity"));
    };
    const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? (a < b ? -1 : a > b ? 1 : 0) : String(a).localeCompare(String(b)));
    const rows = [...body.rows].sort((a, b) => (down ? -1 : 1) * compare(key(a), key(b)));
    body.append(...rows);
  };
  head.tabIndex = 0;
  head.setAttribute("aria-sort", "none");
  head.addEventListener("click", sort);
  head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
}
// A field above a table hides the rows that do not hold its words.
for (const field of document.querySelectorAll(".search")) {
  const [input, status] = [field.querySelector("input"), field.querySelector("span")];
  const rows = [...field.nextElementSibling.querySelectorAll("tbody tr")];
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    const shown = rows.filter((row) => !row.hidden).length;
    status.textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
  });
  field.hidden = false;
}
