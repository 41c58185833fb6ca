"use strict";
(() => {
  const form = document.querySelector(".filters");
  const status = document.getElementById("status");
  const rows = [...document.querySelectorAll(".tensor")];
  const texts = rows.map((row) => row.querySelector("summary").textContent.toLowerCase() + " " + row.querySelector(".facts").textContent.toLowerCase());

  function apply() {
    const show = form.elements.show.value;
    const words = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, i) => {
      const worst = row.dataset.worst;
      const kept = (!show || (show === "fault" ? worst === "fault" : worst !== "clean")) && words.every((word) => texts[i].includes(word));
      row.hidden = !kept;
      count += kept;
    });
    status.textContent = count === rows.length ? `${count} tensors` : `${count} of ${rows.length} tensors`;
  }

  function open() {
    const row = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
    if (!row || !row.classList.contains("tensor")) return;
    row.hidden = false;
    row.open = true;
    row.querySelector("summary").focus();
    row.scrollIntoView({ block: "start" });
  }

  document.querySelector(".tensors").addEventListener("keydown", (event) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step || event.target.tagName !== "SUMMARY") return;
    const seen = rows.filter((row) => !row.hidden);
    const next = seen[seen.indexOf(event.target.parentElement) + step];
    if (!next) return;
    event.preventDefault();
    next.querySelector("summary").focus();
  });
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  window.addEventListener("hashchange", open);
  apply();
  open();
})();
