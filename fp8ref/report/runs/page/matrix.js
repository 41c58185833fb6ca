"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { strings, verdicts, implementations, groups, formats, rows } = data;
  const form = document.querySelector("form.filters");
  const table = document.getElementById("matrix");
  const dialog = document.getElementById("cell");
  const status = document.getElementById("status");
  const NAMES = ["show", "impl", "format", "group", "q"];
  const BAD = new Set(["fail", "crash", "timeout"]);
  const SHOW = {
    fail: (v) => BAD.has(v), allowed: (v) => v === "allowed", known: (v) => v === "xfail" || v === "xpass",
    mismatch: (v) => v !== "pass" && v !== "unsupported", pass: (v) => v === "pass", unsupported: (v) => v === "unsupported",
    all: () => true,
  };
  const defaults = { show: form.elements.show.value, impl: "", format: "", group: "", q: "" };

  const el = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === true) made.setAttribute(name, "");
      else if (value !== false && value != null) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== ""));
    return made;
  };
  const number = (n) => n.toLocaleString("en");
  const plural = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;

  // -- the records, unpacked: cells[implementation] is a Map from row to operations
  const unpack = ([mode, verdict, cases, failed, allowed, claim, source, reason, profiles, findings, expected], row) => ({
    id: rows[row][3] + (mode && strings[mode][0] !== ";" ? "/" : "") + strings[mode],
    mode: strings[mode], verdict: verdicts[verdict], cases, failed,
    allowed: (allowed || []).map(([name, count]) => [strings[name], count]),
    claim: strings[claim], source: strings[source], reason: strings[reason], profiles: strings[profiles],
    findings: findings || [], expected: strings[expected],
  });
  const cells = implementations.map((one) => new Map(one.cells.map(([row, ops]) => [row, ops.map((op) => unpack(op, row))])));
  const worst = (ops) => ops.reduce((a, op) => (verdicts.indexOf(op.verdict) < verdicts.indexOf(a) ? op.verdict : a), ops[0].verdict);

  // is every wrong answer one where the implementation promises nothing?
  const chosen = (ops) => worst(ops) === "fail" && ops.filter((op) => op.verdict === "fail")
    .every((op) => op.findings.length && op.findings.every((f) => f.severity !== "fault"));

  // -- what a cell says
  const captions = (ops) => {
    const verdict = worst(ops);
    const same = ops.filter((op) => op.verdict === verdict);
    const of = ops.length > 1 ? ` in ${same.length} of ${ops.length} modes` : "";
    const sum = (pick) => same.reduce((total, op) => total + pick(op), 0);
    if (verdict === "fail") {
      const count = sum((op) => op.findings.length);
      return [`${chosen(ops) ? "≠" : "✗"} ${count ? plural(count, "finding") : "fails"}`, ops.length > 1 ? of.trim() : `${number(sum((op) => op.failed))} of ${number(sum((op) => op.cases))}`];
    }
    if (verdict === "allowed") {
      const counts = new Map();
      for (const op of same) for (const [name, count] of op.allowed) counts.set(name, (counts.get(name) || 0) + count);
      return ["~ allowed", [...counts].map(([name, count]) => `${number(count)} ${name}`).join(", ") + (ops.length > 1 ? of : "")];
    }
    if (verdict === "pass") return ["✓ conforms", ops.length > 1 ? `${ops.length} modes` : ops[0].mode.split(";")[0]];
    const signs = { crash: "! crash", timeout: "! timeout", xfail: "✗ known", xpass: "✓ passes now", undecided: "? undecided", unsupported: "– unsupported" };
    return [signs[verdict], of.trim()];
  };

  // -- filters <-> address
  const state = { ...defaults };
  const addressOf = () => {
    const query = new URLSearchParams();
    for (const name of NAMES) if (state[name] !== defaults[name]) query.set(name, state[name]);
    return String(query) ? `#?${query}` : "";
  };
  const remember = (hash) => history.replaceState(null, "", hash || location.pathname + location.search);
  const readAddress = () => {
    let hash = location.hash.slice(1);
    if (hash.startsWith("?")) {
      const query = new URLSearchParams(hash.slice(1));
      // the address of one implementation or format shows all of it
      const open = NAMES.some((name) => name !== "show" && query.has(name)) ? "all" : defaults.show;
      for (const name of NAMES) state[name] = query.get(name) ?? (name === "show" ? open : defaults[name]);
      if (!(state.show in SHOW)) state.show = defaults.show;
      for (const name of NAMES) form.elements[name].value = state[name];
      if (dialog.open) dialog.close();
      draw();
      document.getElementById("operations").scrollIntoView();
      return;
    }
    try { hash = decodeURIComponent(hash); } catch { return; }
    const slash = hash.indexOf("/");
    if (slash < 0) return;
    const column = implementations.findIndex((one) => one.id === hash.slice(0, slash));
    const [id, which] = hash.slice(slash + 1).split("~");
    if (column < 0) return;
    for (const [row, ops] of cells[column]) {
      const at = ops.findIndex((op) => op.id === id);
      if (at >= 0) return open(column, row, at, Number(which) || 1);
    }
  };

  // -- the table
  const haystack = rows.map((row, i) => [
    row[2], row[3], groups[row[0]].title, formats[row[1]],
    ...cells.map((column) => (column.get(i) || []).flatMap((op) => [op.mode, op.reason, ...op.allowed.map((a) => a[0]), ...op.findings.map((f) => `${f.why} ${f.severity} ${f.decided}`)]).join(" ")),
  ].join(" ").toLowerCase());

  const draw = () => {
    const wanted = SHOW[state.show];
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const columns = implementations.map((one, i) => i).filter((i) => !state.impl || implementations[i].id === state.impl);
    const shown = [];
    rows.forEach((row, i) => {
      if (state.format && formats[row[1]] !== state.format) return;
      if (state.group && groups[row[0]].id !== state.group) return;
      if (words.some((word) => !haystack[i].includes(word))) return;
      if (columns.some((c) => (cells[c].get(i) || []).some((op) => wanted(op.verdict)))) shown.push(i);
    });
    const used = columns.filter((c) => shown.some((i) => cells[c].has(i)));
    const head = el("tr", {}, el("th", { scope: "col" }, "operation"), ...used.map((c) => {
      const one = implementations[c];
      return el("th", { scope: "col", title: one.detail }, one.name, el("small", {}, one.version));
    }));
    const bodies = [];
    let section = "", body = null;
    for (const i of shown) {
      const [group, format, label] = rows[i];
      if (section !== `${group} ${format}`) {
        section = `${group} ${format}`;
        const name = el("span", {}, `${groups[group].title} ${formats[format]}`);
        body = el("tbody", {}, el("tr", {}, el("th", { class: "section", scope: "rowgroup", colspan: used.length + 1 }, name)));
        bodies.push(body);
      }
      body.append(el("tr", {}, el("th", { scope: "row" }, label), ...used.map((c) => {
        const ops = cells[c].get(i);
        if (!ops) return el("td", { "aria-label": "not asked" });
        const [first, second] = captions(ops);
        const name = `${implementations[c].name}, ${label}: ${first.replace(/^\S+ /, "")}${second ? ", " + second : ""}`;
        return el("td", {}, el("button", {
          type: "button", class: `v-${worst(ops)}${chosen(ops) ? " v-choice" : ""}`, "data-c": c, "data-r": i, tabindex: "-1",
          "aria-label": name, "aria-haspopup": "dialog",
        }, el("b", {}, first), second ? el("span", {}, second) : ""));
      })));
    }
    table.replaceChildren(el("thead", {}, head), ...bodies);
    const first = table.querySelector("button");
    if (first) first.tabIndex = 0;
    const hidden = columns.length - used.length;
    const sums = columns.reduce((sum, c) => sum + shown.reduce((n, i) => n + (cells[c].get(i) || []).filter((op) => wanted(op.verdict)).length, 0), 0);
    status.textContent = shown.length
      ? `${plural(shown.length, "row")} of ${number(rows.length)}; ${plural(sums, "operation")} of ${plural(used.length, "implementation")}` +
        (hidden ? `; ${hidden} with nothing here ${hidden === 1 ? "is" : "are"} left out` : "")
      : "Nothing matches: clear a filter.";
  };

  // -- a cell, opened
  let current = null;
  const mismatches = implementations.map((one, c) => [...cells[c]].sort((a, b) => a[0] - b[0])
    .flatMap(([row, ops]) => ops.flatMap((op, at) => (op.verdict === "pass" || op.verdict === "unsupported" ? [] : [[c, row, at]]))));
  const command = (text, label) => {
    const button = el("button", { type: "button", "aria-label": `copy the ${label}` }, "copy");
    button.addEventListener("click", () => {
      const done = () => { button.textContent = "copied"; setTimeout(() => { button.textContent = "copy"; }, 1500); };
      const select = () => { getSelection().selectAllChildren(button.previousSibling); };
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, select); else select();
    });
    return el("div", { class: "command" }, el("pre", { tabindex: "0", "aria-label": label }, text), button);
  };
  const finding = (f, op, index, one) => {
    const drawn = el("dl", { class: "drawn" }, ...f.drawn.flatMap(([label, text]) => [
      el("dt", { class: label === "want" || label === "got" ? label : false }, label),
      el("dd", { class: label === "want" || label === "got" ? label : false }, text.replace(/ {3,}/g, "   ")),
    ]));
    const link = `#${one.id}/${op.id}${index ? `~${index + 1}` : ""}`;
    const part = el("div", { class: `finding${op.verdict === "xfail" ? " known" : ""}`, tabindex: "-1" },
      el("p", {}, f.why),
      el("p", {}, el("b", {}, f.severity), f.decided ? `: ${f.decided}` : ""),
      el("p", {}, `${number(f.count)} of ${number(f.of)} cases`, f.flags.length ? `; the smallest: ${f.flags.join(", ")}` : "", " · ",
        el("a", { href: link, class: "permalink" }, "link")),
      drawn, el("p", {}, el("small", {}, "Clause: "), f.clause || "none decides: the exact sum is rounded once"));
    for (const name of f.pages) {
      const [title, mend] = data.pages[name];
      part.append(el("details", { class: "mend" }, el("summary", {}, `How to mend it: ${title}`), el("p", {}, mend),
        data.guide ? el("p", {}, el("a", { href: `${data.guide}${name}.html` }, "The page of this mistake")) : "",
        command(`fp8ref help ${name}`, "command")));
    }
    if (f.script) part.append(el("p", { class: "label" }, "Seen with the library alone"), command(f.script, "script"));
    if (f.repro) part.append(el("p", { class: "label" }, "Why that is right"), command(f.repro, "command"));
    if (f.again) part.append(el("p", { class: "label" }, "Judge it again"), command(f.again, "command"));
    return part;
  };
  const operation = (op, one) => {
    const part = el("section", { class: "op" }, el("h3", {}, op.id),
      el("p", {}, el("span", { class: `chip v-${op.verdict}${chosen([op]) ? " v-choice" : ""}` }, op.verdict),
        op.cases ? `${number(op.cases)} cases` : "not judged", op.failed ? `, ${number(op.failed)} fail` : "",
        op.allowed.length ? `, allowed: ${op.allowed.map(([name, n]) => `${number(n)} ${name}`).join(", ")}` : "",
        op.profiles ? `; meets ${op.profiles}` : ""));
    if (op.reason) part.append(el("p", {}, op.reason));
    if (op.expected) part.append(el("p", {}, `Expected: ${op.expected}`));
    const claim = op.claim !== op.id ? `claimed as ${op.claim}` : "claimed so";
    part.append(el("p", {}, el("small", {}, "Its own documentation: "), op.source || "nothing cited", el("small", {}, ` (${claim})`)));
    op.findings.forEach((f, i) => part.append(finding(f, op, i, one)));
    return part;
  };
  const open = (c, row, at = 0, which = 1) => {
    const one = implementations[c], ops = cells[c].get(row);
    current = [c, row, at];
    document.getElementById("cell-title").textContent = `${one.name} ${one.version} · ${groups[rows[row][0]].title} ${formats[rows[row][1]]}: ${rows[row][2]}`;
    const parts = ops.map((op) => operation(op, one));
    document.getElementById("cell-body").replaceChildren(...parts);
    remember(`#${one.id}/${ops[at].id}${which > 1 ? `~${which}` : ""}`);
    const all = mismatches[c];
    for (const id of ["previous", "next"]) document.getElementById(id).disabled = all.length < 2;
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    if (at) parts[at].scrollIntoView();
    if (which > 1) parts[at].querySelectorAll(".finding")[which - 1]?.scrollIntoView();
  };
  const step = (by) => {
    const [c, row, at] = current, all = mismatches[c];
    const here = all.findIndex((d) => d[1] > row || (d[1] === row && d[2] >= at));
    const exact = here >= 0 && all[here][1] === row && all[here][2] === at;
    const next = by > 0 ? (here < 0 ? 0 : here + (exact ? 1 : 0)) : (here < 0 ? all.length : here) - 1;
    open(...all[(next + all.length) % all.length]);
  };
  document.getElementById("previous").addEventListener("click", () => step(-1));
  document.getElementById("next").addEventListener("click", () => step(1));
  document.getElementById("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => remember(addressOf()));

  // -- events
  table.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) open(Number(button.dataset.c), Number(button.dataset.r));
  });
  table.addEventListener("focusin", (event) => {
    if (event.target.tagName !== "BUTTON") return;
    for (const other of table.querySelectorAll('button[tabindex="0"]')) other.tabIndex = -1;
    event.target.tabIndex = 0;
  });
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td");
    if (!cell || event.ctrlKey || event.altKey || event.metaKey) return;
    const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key], down = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    let next = null;
    if (across) {
      for (let td = cell; (td = across > 0 ? td.nextElementSibling : td.previousElementSibling) && !next;) next = td.querySelector("button");
    } else if (down) {
      const lines = [...table.rows];
      for (let i = lines.indexOf(cell.parentElement) + down; lines[i] && !next; i += down) next = lines[i].cells[cell.cellIndex]?.querySelector("button");
    } else if (event.key === "Home" || event.key === "End") {
      const all = cell.parentElement.querySelectorAll("button");
      next = all[event.key === "Home" ? 0 : all.length - 1];
    } else return;
    event.preventDefault();
    if (next) next.focus();
  });
  let timer = 0;
  const changed = () => {
    for (const name of NAMES) state[name] = form.elements[name].value;
    remember(addressOf());
    draw();
  };
  form.addEventListener("change", changed);
  form.addEventListener("input", (event) => {
    if (event.target.name !== "q") return;
    clearTimeout(timer);
    timer = setTimeout(changed, 120);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  addEventListener("hashchange", readAddress);
  draw();
  readAddress();
})();
