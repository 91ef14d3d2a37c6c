// Galleries: a row of pictures for each run, all at the time point of one slider.
const urls = new Map();

function urlOf(sheet) {
  if (!urls.has(sheet)) {
    const bytes = Uint8Array.from(atob(sheets[sheet]), (character) => character.charCodeAt(0));
    urls.set(sheet, URL.createObjectURL(new Blob([bytes], { type: "image/webp" })));
  }
  return `url("${urls.get(sheet)}")`;
}

function fillCell(element, gallery, sheet, [column, row], rows, words) {  // one picture of a sheet
  const columns = Math.max(1, gallery.captions.length);
  element.className = "cell";
  element.textContent = "";
  element.role = "img";
  element.ariaLabel = words;
  element.style.backgroundImage = urlOf(sheet);
  element.style.backgroundSize = `${columns * 100}% ${rows * 100}%`;
  element.style.backgroundPosition = `${columns > 1 ? (column / (columns - 1)) * 100 : 0}% ${rows > 1 ? (row / (rows - 1)) * 100 : 0}%`;
}

const shown = { times: [], time: 0, caption: "", noise: 0, large: false };

class Board {
  constructor(gallery, parent) {
    this.gallery = gallery;
    this.box = make("div", { className: "scroll pictures", tabIndex: 0, role: "region", ariaLabel: "Pictures of the runs" }, parent);
  }

  draw() {  // the table's skeleton; `update` puts the pictures in
    this.rows = [];
    this.box.hidden = this.gallery.stage !== view.stage;
    this.box.replaceChildren();
    if (this.box.hidden) return;
    const { captions, noises, cell, real } = this.gallery;
    const caption = shown.caption === "" ? null : Math.min(Number(shown.caption), captions.length - 1);
    const columns = !captions.length ? [""] : caption === null ? captions : noises.map((noise) => `noise ${noise}`);
    const place = (i) => (caption === null ? [i, Math.min(shown.noise, noises.length - 1)] : [caption, i]);
    const table = make("table", { className: `board${shown.large ? " large" : ""}${caption === null ? " all" : ""}${captions.length ? "" : " whole"}` }, this.box);
    table.style.setProperty("--aspect", `${cell[0]} / ${cell[1]}`);
    const head = make("tr", {}, make("thead", {}, table)), body = make("tbody", {}, table);
    make("th", { textContent: caption === null ? "" : captions[caption] }, head);
    for (const column of columns) make("th", { scope: "col", textContent: column }, head);
    if (real !== null) {
      const row = make("tr", {}, body);
      make("th", { scope: "row", textContent: "real" }, row);
      const those = caption === null ? columns.map((_, i) => i) : [caption];
      for (const i of those) this.fill(make("i", { className: "cell" }, make("td", {}, row)), real, [i, 0], 1, `real picture: ${captions[i]}`);
    }
    this.rows = this.gallery.runs.filter(({ run }) => visible(run)).map(({ run, frames }) => {
      const row = make("tr", {}, body);
      const name = make("th", { scope: "row" }, row);
      const link = make("a", {}, name);
      for (const part of nameOf(run).split(/(?<=[,_])/)) link.append(part, make("wbr"));
      swatch(study.runs[run].label, make("span", { className: "line" }, name));
      const when = make("span", { className: "sub" }, name);
      const cells = columns.map((_, i) => ({ element: make("i", { className: "cell" }, make("td", {}, row)), place: place(i) }));
      return { run, frames, link, when, cells };
    });
    this.update();
  }

  update() {
    const images = shown.times[shown.time];
    const now = this.gallery.positions.filter((position) => position <= images).length - 1;
    for (const { run, frames, link, when, cells } of this.rows) {
      const sheet = now < 0 ? null : frames[now];
      const picture = sheet === null ? null : study.pictures[sheet];
      const over = study.runs[run].state !== "running" && picture && picture.images < images && sheet === frames[frames.length - 1];
      when.textContent = picture ? `${count(picture.images)} images${over ? ", its last" : ""}` : "nothing yet";
      if (picture) link.href = picture.file.split("/").map(encodeURIComponent).join("/");
      else link.removeAttribute("href");
      for (const { element, place } of cells) {
        if (picture) this.fill(element, sheet, place, this.gallery.noises.length, `${nameOf(run)}, ${picture.images} images: ${this.gallery.captions[place[0]] ?? "grid"}`);
        else this.clear(element);
      }
    }
  }

  fill(element, ...place) { fillCell(element, this.gallery, ...place); }

  clear(element) {
    element.className = "cell empty";
    element.textContent = "–";
    element.style.backgroundImage = "none";
    element.ariaLabel = "no picture yet";
  }
}

function addGalleries() {
  const place = document.getElementById("galleries");
  const controls = make("div", { className: "time" }, place);
  const slider = make("input", { type: "range", id: "time", min: 0, ariaLabel: "Time point" }, controls);
  const output = make("output", { htmlFor: "time" }, controls);
  const selectors = {};
  for (const [key, word] of [["caption", "caption"], ["noise", "noise"]]) {
    selectors[key] = make("select", {}, make("label", { textContent: `${word} ` }, controls));
    selectors[key].addEventListener("change", () => { shown[key] = key === "noise" ? Number(selectors[key].value) : selectors[key].value; change(); });
  }
  const large = make("label", {}, controls);
  const box = make("input", { type: "checkbox" }, large);
  large.append("large");
  box.addEventListener("change", () => { shown.large = box.checked; change(); });
  const boards = study.galleries.map((gallery) => new Board(gallery, place));
  const none = make("p", { className: "note", textContent: "No run of this stage has drawn pictures yet." }, place);

  function show(time) {
    shown.time = Math.max(0, Math.min(shown.times.length - 1, time));
    slider.value = shown.time;
    const images = shown.times[shown.time] ?? 0;
    output.textContent = `${images.toLocaleString("en")} images`;
    slider.ariaValueText = output.textContent;
  }

  function change() {
    selectors.noise.parentElement.hidden = shown.caption !== "" || !selectors.noise.length;
    for (const board of boards) board.draw();
  }

  function drawAll() {  // another stage, seed or setting: other time points and captions
    const here = study.galleries.filter((gallery) => gallery.stage === view.stage);
    const before = shown.times[shown.time], atEnd = shown.time === shown.times.length - 1;
    shown.times = [...new Set(here.flatMap((gallery) => gallery.positions))].sort((a, b) => a - b);
    slider.max = Math.max(0, shown.times.length - 1);
    slider.disabled = shown.times.length < 2;
    const cut = here.find((gallery) => gallery.captions.length);
    options(selectors.caption, cut ? [["", "all"], ...cut.captions.map((caption, i) => [String(i), caption])] : []);
    options(selectors.noise, cut ? cut.noises.map((noise, i) => [String(i), noise]) : []);
    shown.caption = selectors.caption.value;
    shown.noise = Number(selectors.noise.value);
    controls.hidden = !here.length;
    none.hidden = here.length > 0;
    show(before === undefined || atEnd ? shown.times.length - 1 : nearest(shown.times, before));
    change();
  }

  function options(select, choices) {
    const value = select.value;
    select.replaceChildren();
    for (const [key, text] of choices) make("option", { value: key, textContent: text.length > 70 ? `${text.slice(0, 68)}…` : text }, select);
    if (choices.some(([key]) => key === value)) select.value = value;
    select.parentElement.hidden = !choices.length;
  }

  function fromAddress() {
    const time = new URLSearchParams(location.hash.slice(1)).get("t");
    if (time === null) return;
    show(Number(time));
    boards.forEach((board) => board.update());
  }

  slider.addEventListener("input", () => {
    show(Number(slider.value));
    boards.forEach((board) => board.update());
    history.replaceState(null, "", `#stage=${view.stage}&t=${shown.time}`);
  });
  view.redraw.push(drawAll);
  drawAll();
  fromAddress();
  window.addEventListener("hashchange", fromAddress);
}
if (study.runs.length) addGalleries();
