"use strict";
// Reads what a person types as an exact number, finds it among the magnitudes of a format by comparing integers, and
// looks up what the reference answered there.  No rule of rounding is written here: see tables.py.
const DATA = JSON.parse(document.getElementById("data").textContent);
const FLAGS = [[16, "invalid"], [8, "divide by zero"], [4, "overflow"], [2, "underflow"], [1, "inexact"]];
const LONGEST = 4000; // digits of a number, or of its power

// -- numbers: {kind: "finite", sign, n, d} with n / d exact, or "infinite", or "nan" --------------------------------
const power = (base, exponent) => BigInt(base) ** BigInt(exponent);
const finite = (sign, n, d = 1n) => ({ kind: "finite", sign, n, d });
const scaled = (sign, n, e) => (e < 0 ? finite(sign, n, power(2, -e)) : finite(sign, n * power(2, e)));

function readNumber(text) {
  const said = text.trim().toLowerCase().replace(/_/g, "").replace(/\u2212/g, "-").replace(/\u00d7/g, "*");
  const two = /^(.*?)(?:\s*(\*)\s*|\s+(\+)\s+)(.*)$/.exec(said);
  if (!two) return readOne(said);
  const [x, y] = [readOne(two[1]), readOne(two[4])];
  return x.problem ? x : y.problem ? y : together(x, two[2] || two[3], y);
}

function readOne(said) {
  const problem = (why) => ({ problem: why });
  if (!said) return problem("Type a number: 0.1, 448, 0x1.8p-7, 2^-9, f32:43E88000, e4m3fn:7E, inf, nan.");
  const coded = /^([a-z]\w*):(?:0x)?([0-9a-f]+)$/.exec(said);
  if (coded) return readCode(coded[1], coded[2]);
  const sign = said[0] === "-" ? 1 : 0;
  const rest = said.replace(/^[+-]/, "");
  if (/^(inf|infinity)$/.test(rest)) return { kind: "infinite", sign };
  if (rest === "nan") return { kind: "nan", sign };
  let match = /^2\^(-?\d{1,4})$/.exec(rest);
  if (match) return scaled(sign, 1n, Number(match[1]));
  match = /^0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d{1,4}))?$/.exec(rest);
  if (match && (match[1] || match[2]))
    return scaled(sign, BigInt("0x" + match[1] + match[2]), Number(match[3] || 0) - 4 * match[2].length);
  match = /^(\d+)\/(\d+)$/.exec(rest);
  if (match && rest.length < LONGEST && BigInt(match[2]) > 0n) return finite(sign, BigInt(match[1]), BigInt(match[2]));
  match = /^(\d*)\.?(\d*)(?:e([+-]?\d{1,4}))?$/.exec(rest);
  if (match && (match[1] || match[2]) && rest.length < LONGEST) {
    const n = BigInt(match[1] + match[2]);
    const e = Number(match[3] || 0) - match[2].length;
    return e < 0 ? finite(sign, n, power(10, -e)) : finite(sign, n * power(10, e));
  }
  return problem(`${said.slice(0, 40)} is no number. Try 0.1, 0x1.8p-7, 2^-9, 1/3, f32:43E88000, e4m3fn:7E, inf or nan.`);
}

function readCode(name, digits) {
  const code = BigInt("0x" + digits);
  const wide = DATA.sources[name];
  const k = wide ? wide.k : DATA.formats[name] && DATA.formats[name].k;
  if (!k) return { problem: `${name} is no format of this page: ${[...Object.keys(DATA.sources), ...Object.keys(DATA.formats)].join(", ")}.` };
  if (code >> BigInt(k)) return { problem: `${name} has ${k} bits: at most ${Math.ceil(k / 4)} hexadecimal digits.` };
  if (!wide) return valueOf(DATA.formats[name], Number(code));
  const t = BigInt(wide.p - 1);
  const sign = Number(code >> BigInt(k - 1));
  const exponent = Number((code >> t) & ((1n << BigInt(k - wide.p)) - 1n));
  const trailing = code & ((1n << t) - 1n);
  if (exponent === (1 << (k - wide.p)) - 1) return trailing ? { kind: "nan", sign } : { kind: "infinite", sign };
  const significand = exponent ? trailing | (1n << t) : trailing;
  return scaled(sign, significand, Math.max(exponent, 1) - wide.bias - Number(t));
}

function valueOf(f, code) {
  for (const sign of [0, 1]) {
    const i = f.codes[sign].indexOf(code);
    if (i >= 0) return scaled(sign, magnitudes(f)[i], f.exponent);
  }
  const infinite = f.table[code][3] === "infinity";
  return { kind: infinite ? "infinite" : "nan", sign: f.table[code][2].startsWith("-") ? 1 : 0 };
}

function together(x, operation, y) {
  if (x.kind === "nan" || y.kind === "nan") return { kind: "nan", sign: 0 };
  const product = operation === "*";
  const zero = (v) => v.kind === "finite" && v.n === 0n;
  const sign = x.sign ^ y.sign;
  if (x.kind === "infinite" || y.kind === "infinite") {
    if (product ? zero(x) || zero(y) : x.kind === y.kind && sign) return { kind: "nan", sign: 0, invalid: true };
    if (product) return { kind: "infinite", sign };
    return { kind: "infinite", sign: x.kind === "infinite" ? x.sign : y.sign };
  }
  if (product) return finite(sign, x.n * y.n, x.d * y.d);
  const signed = (v) => (v.sign ? -v.n : v.n);
  const n = signed(x) * y.d + signed(y) * x.d;
  if (n === 0n && sign && x.n !== 0n) return { problem: "An exact sum of zero: its sign depends on the mode, and this page does not say it." };
  if (n === 0n && sign) return { problem: "0 and -0: the sign of their sum depends on the mode, and this page does not say it." };
  return finite(n < 0n || (n === 0n && x.sign) ? 1 : 0, n < 0n ? -n : n, x.d * y.d);
}

// -- where a number lies, and what the reference answered there ------------------------------------------------------
function magnitudes(f) {
  if (!f.integers) f.integers = f.magnitudes.map((digits) => BigInt("0x" + digits));
  return f.integers;
}

// The gap that a finite number lies in, and its region: 0 at the lower end, 1 below the middle, 2 at it, 3 to three
// quarters, 4 at them, 5 above.  Index of the last magnitude: there, region 0, or beyond, region 1.
function place(x, f) {
  const m = magnitudes(f);
  let [n, d] = [x.n, x.d];
  if (f.exponent < 0) n *= power(2, -f.exponent);
  else d *= power(2, f.exponent);
  let [low, high] = [0, m.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (m[middle] * d <= n) low = middle;
    else high = middle - 1;
  }
  const rest = 4n * (n - m[low] * d);
  if (low === m.length - 1) return { gap: low, region: rest ? 1 : 0, part: 1 };
  const gap = (m[low + 1] - m[low]) * d;
  const region = rest === 0n ? 0 : rest < 2n * gap ? 1 : rest === 2n * gap ? 2 : rest < 3n * gap ? 3 : rest === 3n * gap ? 4 : 5;
  return { gap: low, region, part: Number((rest * 4096n) / gap) / 16384 };
}

function answer(x, f, rounding, overflow) {
  const sides = f.modes[rounding] && f.modes[rounding][overflow];
  if (!sides || x.problem) return null;
  const [letters, top] = x.sign ? sides.slice(2) : sides;
  if (x.kind === "nan") return { code: top[9][0], flags: top[9][1] | (x.invalid ? 16 : 0) };
  if (x.kind === "infinite") return { code: top[8][0], flags: top[8][1] };
  const { gap, region } = place(x, f);
  const last = f.magnitudes.length - 2;
  let [code, flags] = gap > last ? top[6 + region] : gap === last ? top[region] : f.patterns[f.pool[letters][gap]][region];
  if (code < 0) code = f.codes[x.sign][gap + (code === -2 ? 1 : 0)];
  return { code, flags };
}

// Is a number a value of a wide format?
function holds(x, wide) {
  if (x.kind !== "finite" || x.n === 0n) return true;
  let [n, d] = [x.n, x.d];
  const common = gcd(n, d);
  [n, d] = [n / common, d / common];
  if (d & (d - 1n)) return false;
  let e = 1 - d.toString(2).length;
  while (!(n & 1n)) [n, e] = [n >> 1n, e + 1];
  const top = e + n.toString(2).length - 1;
  return top <= wide.emax && e >= Math.max(top, wide.emin) - wide.p + 1;
}

function gcd(a, b) {
  while (b) [a, b] = [b, a % b];
  return a;
}

// -- texts -------------------------------------------------------------------------------------------------------------
function exactText(x) {
  if (x.kind !== "finite") return (x.sign ? "-" : "") + (x.kind === "nan" ? "NaN" : "infinity");
  const sign = x.sign ? "-" : "";
  if (x.n === 0n) return sign + "0";
  const common = gcd(x.n, x.d);
  const [n, d] = [x.n / common, x.d / common];
  if (d & (d - 1n)) return d.toString().length > 24 ? `${sign}${decimal(n, d)}, no multiple of a power of two` : `${sign}${n}/${d}`;
  const shift = d.toString(2).length - 1;
  const digits = n * power(5, shift);
  const text = digits.toString().padStart(shift + 1, "0");
  const point = text.length - shift;
  const whole = shift ? `${text.slice(0, point)}.${text.slice(point)}`.replace(/\.?0+$/, "") : text;
  return sign + (whole.length > 40 ? decimal(n, d) : whole) + hexText(n, shift);
}

function decimal(n, d) {
  let e = 0;
  const length = n.toString().length - d.toString().length;
  e = length - 1;
  const value = e >= 0 ? (n * 1000000n) / (d * power(10, e)) : (n * 1000000n * power(10, -e)) / d;
  const text = value.toString();
  const shift = text.length - 7;
  return `about ${text[0]}.${text.slice(1, 7)}e${e + shift}`;
}

function hexText(n, shift) {
  const bits = n.toString(2).replace(/0+$/, "");
  const e = n.toString(2).length - 1 - shift;
  const rest = bits.slice(1);
  const hex = rest ? BigInt("0b" + rest.padEnd(Math.ceil(rest.length / 4) * 4, "0")).toString(16).padStart(Math.ceil(rest.length / 4), "0") : "";
  return hex.length > 16 ? "" : ` = 0x1${hex ? "." + hex : ""}p${e >= 0 ? "+" : ""}${e}`;
}

// -- the page ------------------------------------------------------------------------------------------------------------
const $ = (id) => document.getElementById(id);
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "line", "circle", "text", "title", "g"].includes(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== ""));
  return node;
}

const state = { x: "0.1", f: ["e4m3fn", "e5m2"], r: "rne", o: "sat", row: "7.5, -6.5, 3, 0.8, 0.3, -0.1, 0.01, 0", s: "mxfp4", c: "floor" };

function readState() {
  const said = new URLSearchParams(location.hash.slice(1));
  const formats = (said.get("f") || "").split(",").filter((name) => DATA.formats[name]);
  state.f = state.f.filter((name) => DATA.formats[name]);
  if (!state.f.length) state.f = Object.keys(DATA.formats).slice(0, 1);
  if (said.has("x")) state.x = said.get("x").slice(0, 200);
  if (said.has("f")) state.f = formats;
  if (DATA.modes[said.get("r")]) state.r = said.get("r");
  if (said.has("o")) state.o = said.get("o").slice(0, 20);
  if (said.has("row")) state.row = said.get("row").slice(0, 1000);
  if (DATA.blocks.schemes[said.get("s")]) state.s = said.get("s");
  if (DATA.blocks.rules[said.get("c")]) state.c = said.get("c");
}

function writeState() {
  const said = new URLSearchParams({ x: state.x, f: state.f.join(","), r: state.r, o: state.o, row: state.row, s: state.s, c: state.c });
  history.replaceState(null, "", "#" + said);
}

function controls() {
  for (const name of Object.keys(DATA.formats)) {
    const box = make("input", { type: "checkbox", value: name });
    box.addEventListener("change", () => {
      state.f = [...$("formats").querySelectorAll("input:checked")].map((own) => own.value);
      show();
    });
    $("formats").append(make("label", { class: "chip" }, box, make("span", {}, name)));
  }
  for (const [mode, label] of Object.entries(DATA.modes)) $("rounding").append(make("option", { value: mode }, `${mode}: ${label}`));
  const rules = new Set(Object.values(DATA.formats).flatMap((f) => Object.keys(f.overflows)));
  const first = ["sat", "satprop", "nonsat"].filter((rule) => rules.delete(rule));
  for (const rule of [...first, ...[...rules].sort()]) $("overflow").append(make("option", { value: rule }, RULES[rule] ? `${rule}: ${RULES[rule]}` : pairText(rule)));
  $("number").addEventListener("input", () => { state.x = $("number").value; show(); });
  $("rounding").addEventListener("change", () => { state.r = $("rounding").value; show(); });
  $("overflow").addEventListener("change", () => { state.o = $("overflow").value; show(); });
  $("number").addEventListener("keydown", (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (step && move(step)) event.preventDefault();
  });
  for (const button of document.querySelectorAll("[data-number]"))
    button.addEventListener("click", () => { state.x = button.dataset.number; fill(); show(); });
  for (const button of document.querySelectorAll(".copy"))
    button.addEventListener("click", async () => {
      const said = button.nextElementSibling;
      try {
        await navigator.clipboard.writeText(location.href);
        said.textContent = "Copied.";
      } catch {
        said.textContent = "Copy it from the address line.";
      }
    });
  blockControls();
  addEventListener("hashchange", () => { readState(); fill(); show(); });
}

const RULES = { sat: "to the largest finite value", satprop: "finite ones to the largest, infinities stay", nonsat: "to infinity or NaN" };
const pairText = (rule) => {
  const [finite, infinite] = rule.split("-");
  const word = { max: "the largest", inf: "infinity", nan: "NaN", ieee: "as IEEE 754" };
  return `${rule}: overflow to ${word[finite]}, infinities to ${word[infinite]}`;
};

function fill() {
  $("number").value = state.x;
  $("rounding").value = state.r;
  $("overflow").value = state.o;
  fillBlock();
  for (const box of $("formats").querySelectorAll("input")) box.checked = state.f.includes(box.value);
}

// The next value of the first format that is shown, up or down.
function move(step) {
  const f = DATA.formats[state.f[0]];
  const x = readNumber(state.x);
  if (!f || x.problem || x.kind !== "finite") return false;
  const m = magnitudes(f);
  const { gap, region } = place(x, f);
  const up = (step > 0) === !x.sign;
  let [i, sign] = [up ? gap + 1 : region ? gap : gap - 1, x.sign];
  if (i < 0) [i, sign] = [1, 1 - sign];
  while (i >= 0 && i < m.length && f.codes[sign][i] === null) i += up ? 1 : -1; // from beyond the largest to it
  const code = f.codes[sign][i];
  if (code === undefined || code === null) return false;
  state.x = `${state.f[0]}:${f.table[code][0].slice(2)}`;
  fill();
  show();
  return true;
}

function show() {
  const x = readNumber(state.x);
  writeState();
  for (const said of document.querySelectorAll(".copied")) said.textContent = "";
  $("number").setAttribute("aria-invalid", x.problem ? "true" : "false");
  $("exact").textContent = x.problem || `exactly ${exactText(x)}`;
  $("exact").classList.toggle("wrong", Boolean(x.problem));
  const cards = x.problem ? [] : state.f.map((name) => card(name, DATA.formats[name], x));
  if (!x.problem && !cards.length) cards.push(make("p", { class: "quiet" }, "Choose a format above."));
  $("cards").replaceChildren(...cards);
  showBlock();
}

function card(name, f, x) {
  const own = make("article", { class: "card", "aria-label": name });
  const found = answer(x, f, state.r, state.o);
  own.append(make("h2", {}, name));
  if (!found) {
    own.append(make("p", { class: "quiet" }, `${name} cannot follow ${state.o}: ${Object.keys(f.overflows).join(", ")}.`));
    return own;
  }
  const [code, , value, kind] = f.table[found.code];
  own.append(
    make("p", { class: "answer" }, make("strong", {}, code), " ", make("span", { class: "value" }, value), " ", make("span", { class: "quiet" }, kind)),
    bits(f, found.code), flagList(found.flags));
  if (x.kind === "finite") own.append(numberLine(f, x, found.code));
  own.append(modesTable(f, x), libraries(name, f, x));
  return own;
}

function bits(f, code) {
  const text = code.toString(2).padStart(f.k, "0");
  const names = ["sign", "exponent", "significand"];
  const row = make("div", { class: "bits" });
  let at = 0;
  f.fields.forEach((width, i) => {
    if (!width) return;
    const cells = [...text.slice(at, at + width)].map((bit) => make("span", { class: "bit" }, bit));
    row.append(make("span", { class: `field ${names[i]}` }, make("span", { class: "cells" }, ...cells), make("small", {}, names[i])));
    at += width;
  });
  return row;
}

function flagList(flags) {
  const raised = FLAGS.filter(([bit]) => flags & bit).map(([, name]) => make("li", {}, name));
  return make("ul", { class: "flags", "aria-label": "flags" }, ...(raised.length ? raised : [make("li", { class: "none" }, "exact: no flag")]));
}

function numberLine(f, x, chosen) {
  const { gap, region, part } = place(x, f);
  const last = f.magnitudes.length - 1;
  const [low, high] = [Math.min(gap, last - 1), Math.min(gap, last - 1) + 1];
  const beyond = gap === last && region > 0;
  const [left, right] = x.sign ? [high, low] : [low, high];
  const position = (i) => (i === left ? 60 : 340);
  const at = gap === last ? position(high) + (beyond ? (x.sign ? -24 : 24) : 0) : position(low) + (position(high) - position(low)) * nudge(region, part);
  const label = (i) => {
    const code = f.codes[x.sign][i];
    return code === null || code === undefined ? ["-", i === last ? "no value" : "not a value"] : [f.table[code][0], short(f.table[code][2])];
  };
  const picture = make("svg", { viewBox: "0 0 400 84", role: "img", class: "line" });
  picture.append(make("title", {}, `between ${label(left)[1]} and ${label(right)[1]}`));
  picture.append(make("line", { x1: 24, x2: 376, y1: 42, y2: 42, class: "axis" }));
  picture.append(make("line", { x1: 200, x2: 200, y1: 36, y2: 48, class: "tie" }), make("text", { x: 200, y: 64, class: "small" }, "tie"));
  for (const i of [left, right]) {
    const isAnswer = f.codes[x.sign][i] === chosen;
    const [code, value] = label(i);
    picture.append(
      make("line", { x1: position(i), x2: position(i), y1: 30, y2: 54, class: isAnswer ? "end answer" : "end" }),
      make("text", { x: position(i), y: 22, class: isAnswer ? "code answer" : "code" }, code),
      make("text", { x: position(i), y: 72, class: "value" }, value));
  }
  picture.append(make("circle", { cx: at, cy: 42, r: 6, class: "dot" }));
  return picture;
}

const nudge = (region, part) => (region === 1 ? Math.min(Math.max(part, 0.03), 0.47) : region >= 3 ? Math.min(Math.max(part, 0.53), 0.97) : part);
const short = (value) => value.replace(/ = .*/, "");

// A part that stays open, in every card, while one types.
const unfolded = new Set();
function folding(name, ...children) {
  const own = make("details", unfolded.has(name) ? { open: "" } : {}, ...children);
  own.addEventListener("toggle", () => (own.open ? unfolded.add(name) : unfolded.delete(name)));
  return own;
}

function modesTable(f, x) {
  const rules = Object.keys(f.overflows);
  const head = make("tr", {}, make("th", { scope: "col" }, "rounding"), ...rules.map((rule) => make("th", { scope: "col" }, rule)));
  const rows = Object.keys(DATA.modes).map((mode) =>
    make("tr", {}, make("th", { scope: "row", title: DATA.modes[mode] }, mode),
      ...rules.map((rule) => {
        const { code, flags } = answer(x, f, mode, rule);
        const here = mode === state.r && rule === state.o;
        const names = FLAGS.filter(([bit]) => flags & bit).map(([, name]) => name).join(", ");
        return make("td", { class: here ? "here" : undefined, title: `${f.table[code][2]}${names ? "; " + names : ""}` }, f.table[code][0]);
      })));
  return folding("modes", make("summary", {}, "Every mode and overflow rule"),
    make("div", { class: "scroll", tabindex: "0" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))));
}

function libraries(name, f, x) {
  const known = DATA.libraries[name] || [];
  if (!known.length) return "";
  const rows = known.map((one) => {
    const fits = holds(x, DATA.sources[one.from]);
    const found = one.known && fits ? answer(x, f, one.rounding, one.overflow) : null;
    const said = !fits ? ["-", `${one.from} does not hold this number`]
      : found ? [f.table[found.code][2] === "NaN" ? "NaN" : f.table[found.code][0], `${one.rounding}.${one.overflow}, bit by bit`]
      : one.failed ? ["?", `wrong in ${one.failed} of ${one.cases} cases: ${one.remark}`] : ["?", `${one.verdict}: ${one.remark}`];
    return make("tr", {}, make("th", { scope: "row" }, one.library), make("td", {}, one.from), make("td", {}, said[0]), make("td", { class: "why" }, said[1]));
  });
  const head = make("tr", {}, ...["library", "from", "answer", ""].map((text) => make("th", { scope: "col" }, text)));
  return folding("libraries", make("summary", {}, `What ${new Set(known.map((one) => one.library)).size} recorded libraries answer`),
    make("div", { class: "scroll", tabindex: "0" }, make("table", { class: "libraries" }, make("thead", {}, head), make("tbody", {}, ...rows))));
}
