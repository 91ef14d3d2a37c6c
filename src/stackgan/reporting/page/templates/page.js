"use strict";
// What the page shows, and the controls that choose it. Curves are in curves.js, pictures in pictures.js.
const study = JSON.parse(document.getElementById("data").textContent);
const sheets = JSON.parse(document.getElementById("sheets").textContent);
const view = { stage: "", seed: "", hidden: new Set(), redraw: [] };

function make(name, properties = {}, parent = null) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  if (parent) parent.append(element);
  return element;
}

function draw(name, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

const DASHES = ["none", "7 3", "2 3", "10 3 2 3"];

function stroke(label) {  // colour and dash of a setting: either alone tells the first settings apart
  return { stroke: `var(--c${label % 8})`, "stroke-dasharray": DASHES[(label + Math.floor(label / 8)) % 4] };
}

function swatch(label, parent) {
  const svg = draw("svg", { width: 30, height: 10, "aria-hidden": "true" }, parent);
  draw("line", { x1: 0, x2: 30, y1: 5, y2: 5, "stroke-width": 2.4, ...stroke(label) }, svg);
}

function visible(number) {
  const run = study.runs[number];
  return run.stage === view.stage && !view.hidden.has(run.label) && (view.seed === "" || run.seed === view.seed);
}

function nameOf(number) {
  const run = study.runs[number];
  return study.labels[run.label] + (study.seeds.length > 1 && run.seed !== "" ? ` · seed ${run.seed}` : "");
}

function short(value) {
  if (value === null || value === undefined) return "not finite";
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return Number(value.toPrecision(3)).toExponential().replace("e+", "e");
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

function count(images) {
  if (images >= 1e6) return `${Number((images / 1e6).toPrecision(3))}M`;
  return images >= 1000 ? `${Number((images / 1000).toPrecision(3))}k` : String(images);
}

function redraw() {
  for (const part of view.redraw) part();
}

function sortTable(table, column, button) {
  const header = button.closest("th");
  const upwards = header.getAttribute("aria-sort") === "descending" || (!header.hasAttribute("aria-sort") && !header.classList.contains("number"));
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", upwards ? "ascending" : "descending");
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => {
    const cell = row.cells[column];
    const text = "value" in cell.dataset ? cell.dataset.value : cell.textContent.trim();
    return { row, text, number: text === "" ? NaN : Number(text) };
  });
  const numeric = keyed.every((each) => each.text === "" || !Number.isNaN(each.number));
  keyed.sort((a, b) => {
    if (a.text === "" || b.text === "") return (a.text === "") - (b.text === "");  // what is missing stays last
    const order = numeric ? a.number - b.number : a.text.localeCompare(b.text, "en", { numeric: true });
    return upwards ? order : -order;
  });
  body.append(...keyed.map((each) => each.row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = cell.querySelector("button");
    button.addEventListener("click", () => sortTable(table, column, button));
  });
}

function addControls() {
  const stages = document.getElementById("stages");
  const chosen = new URLSearchParams(location.hash.slice(1)).get("stage");
  view.stage = study.stages.some((each) => each.stage === chosen) ? chosen : study.stages[0].stage;
  for (const { stage, title } of study.stages) {
    const button = make("button", { textContent: title, ariaPressed: String(stage === view.stage) }, stages);
    button.addEventListener("click", () => {
      view.stage = stage;
      for (const other of stages.children) other.ariaPressed = String(other === button);
      redraw();
    });
  }
  stages.hidden = study.stages.length < 2;
  const seed = document.getElementById("seed");
  make("option", { value: "", textContent: "all" }, seed);
  for (const each of study.seeds) make("option", { value: each, textContent: each }, seed);
  seed.addEventListener("change", () => { view.seed = seed.value; redraw(); });
  document.getElementById("seed-label").hidden = study.seeds.length < 2;
  const settings = document.getElementById("settings");
  study.labels.forEach((label, number) => {
    const box = make("label", {}, settings);
    const input = make("input", { type: "checkbox", checked: true }, box);
    swatch(number, box);
    box.append(label);
    input.addEventListener("change", () => {
      if (input.checked) view.hidden.delete(number);
      else view.hidden.add(number);
      redraw();
    });
  });
  document.getElementById("choose").hidden = false;
}

function openTarget() {  // a row of the table leads to its run's details
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") target.open = true;
}
window.addEventListener("hashchange", openTarget);
openTarget();
if (study.runs.length) addControls();
