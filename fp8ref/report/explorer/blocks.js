// A block with a shared scale.  Which largest magnitude gets which scale code is a table of the reference, see shared.py;
// an element is what the reference answered for the number over the scale, a power of two.

// The code of the binary32 number nearest to a number, the even one of two: recipes of scales begin with binary32.
function singleOf(x) {
  const high = x.sign * 2 ** 31;
  if (x.kind === "nan") return 0x7fc00000;
  if (x.kind === "infinite") return high + 0x7f800000;
  if (x.n === 0n) return high;
  let e = x.n.toString(2).length - x.d.toString(2).length;
  const atLeast = (k) => (k < 0 ? x.n * power(2, -k) >= x.d : x.n >= x.d * power(2, k));
  if (!atLeast(e)) e -= 1;
  const exponent = Math.max(e, -126);
  const [n, d] = exponent < 23 ? [x.n * power(2, 23 - exponent), x.d] : [x.n, x.d * power(2, exponent - 23)];
  let significand = n / d;
  const rest = 2n * (n - significand * d);
  if (rest > d || (rest === d && significand & 1n)) significand += 1n;
  const code = BigInt(exponent + 126) * (1n << 23n) + significand;
  return high + (code < 0x7f800000n ? Number(code) : 0x7f800000);
}

function thresholdsOf(rule) {
  if (!rule.least) {
    rule.least = [rule.first];
    for (const [step, count] of rule.runs) for (let i = 0; i < count; i++) rule.least.push(rule.least[rule.least.length - 1] + step);
  }
  return rule.least;
}

// The scale code of the largest magnitude, a binary32 code without its sign.
function scaleOf(amax, rule) {
  if (amax > 0x7f800000) return rule.nan;
  if (amax === 0x7f800000) return rule.infinite;
  if (amax === 0) return rule.zero;
  return rule.lowest + thresholdsOf(rule).filter((least) => least <= amax).length;
}

function timesPower(x, e) {
  if (x.kind !== "finite") return x;
  return e < 0 ? finite(x.sign, x.n, x.d * power(2, -e)) : finite(x.sign, x.n * power(2, e), x.d);
}

// Scale, codes, flags and values of a row of binary32 codes.
function blockOf(singles, name, ruleName) {
  const scheme = DATA.blocks.schemes[name];
  const f = DATA.formats[scheme.element];
  const sizes = singles.map((code) => code % 2 ** 31);
  const amax = Math.max(0, ...sizes);
  const scale = scaleOf(amax, scheme.rules[ruleName]);
  const elements = singles.map((single) => {
    const x = readCode("f32", single.toString(16));
    if (scale === 255) return { x, code: scheme.blank, flags: 0, value: { kind: "nan", sign: 0 } };
    const over = timesPower(x, 127 - scale);
    let { code, flags } = answer(over, f, DATA.blocks.rounding, DATA.blocks.overflow);
    if (code === scheme.unused) code = scheme.instead;
    return { x, over, code, flags, value: timesPower(valueOf(f, code), scale - 127) };
  });
  return { f, scheme, amax, scale, elements };
}

function readRow(text) {
  const words = text.replace(/\u2212/g, "-").split(/[\s,;]+/).filter((word) => word);
  if (!words.length) return { problem: "Type numbers with spaces or commas between them." };
  if (words.length > DATA.blocks.block) return { problem: `${words.length} numbers; a block has at most ${DATA.blocks.block}.` };
  const numbers = words.map((word) => readOne(word.toLowerCase()));
  const wrong = numbers.find((x) => x.problem);
  return wrong || { words, numbers };
}

// -- the part of the page ------------------------------------------------------------------------------------------------
// A number in a cell: exactly where that is short, else to six digits.
const brief = (x) => {
  const exact = exactText(x).replace(/ = 0x.*/, "");
  if (exact.length <= 10) return exact;
  const size = Number(Number(decimal(x.n, x.d).replace("about ", "")).toPrecision(6));
  return `\u2248 ${x.sign ? "-" : ""}${size}`;
};

function blockControls() {
  const names = Object.keys(DATA.blocks.schemes);
  $("blocks").hidden = !names.length;
  if (!names.includes(state.s)) state.s = names[0] || "";
  for (const name of names) $("scheme").append(make("option", { value: name }, `${name}: elements ${DATA.blocks.schemes[name].element}`));
  for (const [rule, source] of Object.entries(DATA.blocks.rules)) $("scale").append(make("option", { value: rule }, `${rule}: ${source}`));
  for (const [id, key, when] of [["row", "row", "input"], ["scheme", "s", "change"], ["scale", "c", "change"]])
    $(id).addEventListener(when, () => { state[key] = $(id).value; show(); });
}

function fillBlock() {
  $("row").value = state.row;
  $("scheme").value = state.s;
  $("scale").value = state.c;
}

function showBlock() {
  if (!state.s) return;
  const read = readRow(state.row);
  $("row").setAttribute("aria-invalid", read.problem ? "true" : "false");
  $("row-said").textContent = read.problem || "";
  $("block").replaceChildren(...(read.problem ? [] : [blockCard(read)]));
}

function blockCard({ words, numbers }) {
  const found = blockOf(numbers.map(singleOf), state.s, state.c);
  const { f, scale, amax, elements } = found;
  const notes = elements.map((one) => noteOf(one, found));
  const count = (text) => notes.filter((note) => note.includes(text)).length;
  const own = make("article", { class: "card", "aria-label": "block" });
  const hex = "0x" + scale.toString(16).toUpperCase().padStart(2, "0");
  own.append(
    make("p", { class: "answer" }, make("strong", {}, hex), " ", make("span", { class: "value" }, scale === 255 ? "NaN" : `the scale 2^${scale - 127}`)),
    bits({ k: 8, fields: [0, 8, 0] }, scale),
    make("p", { class: "summary" }, `Largest magnitude ${brief(readCode("f32", amax.toString(16)))}. ${count("saturates")} of ${elements.length} saturate, ${count("becomes 0")} become 0.`));
  const heads = [["number"], ["over the scale", "wide"], ["code"], ["bits", "wide"], ["value back"], [""]];
  const head = make("tr", {}, ...heads.map(([text, kind]) => make("th", { scope: "col", class: kind }, text)));
  const rows = elements.map((one, i) =>
    make("tr", { class: notes[i].includes("saturates") ? "saturates" : undefined },
      make("th", { scope: "row" }, words[i]), make("td", { class: "wide" }, one.over ? brief(one.over) : "-"), make("td", {}, f.table[one.code][0]),
      make("td", { class: "wide" }, spaced(f, one.code)), make("td", {}, brief(one.value)), make("td", { class: "why" }, notes[i].join(", "))));
  own.append(make("div", { class: "scroll row", tabindex: "0" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))));
  return own;
}

function spaced(f, code) {
  const text = code.toString(2).padStart(f.k, "0");
  const ends = f.fields.map((width, i) => f.fields.slice(0, i).reduce((a, b) => a + b, 0));
  return f.fields.map((width, i) => text.slice(ends[i], ends[i] + width)).filter((part) => part).join(" ");
}

function noteOf(one, { f, amax, scale }) {
  const notes = [];
  const largest = one.x.kind === "finite" && singleOf(one.x) % 2 ** 31 === amax && amax > 0;
  if (largest) notes.push("sets the scale");
  if (scale === 255) return [...notes, "NaN scale"];
  if (one.x.kind === "infinite" || one.flags & 4) notes.push("saturates");
  else if (one.x.kind === "finite" && one.x.n !== 0n && one.value.n === 0n) notes.push("becomes 0");
  else if (one.x.kind === "finite" && one.flags & 1) notes.push("rounded");
  return notes;
}
