// Charts: one curve a run, values under the pointer or, from the keyboard, at a time point.
const HEIGHT = 190, LEFT = 50, RIGHT = 10, TOP = 10, BOTTOM = 22;

function steps(low, high, number) {
  const raw = (high - low) / number || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 2.5, 5, 10].find((each) => each * power >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return found;
}

function valueScale(values) {  // linear, or logarithmic on both sides of zero where a few values dwarf the others
  let low = Math.min(...values), high = Math.max(...values);
  const sizes = values.map(Math.abs).sort((a, b) => a - b), usual = sizes[Math.floor(sizes.length / 2)];
  const wide = usual > 0 && sizes[sizes.length - 1] > 100 * usual;
  if (low === high) { low -= Math.abs(low) / 10 || 1; high += Math.abs(high) / 10 || 1; }
  const bend = wide ? (value) => Math.asinh(value / usual) : (value) => value;
  let marks = steps(low, high, 5);
  if (wide) {
    marks = [0];
    for (let power = Math.ceil(Math.log10(usual)); 10 ** power <= Math.max(high, -low); power++) marks.push(10 ** power, -(10 ** power));
    marks = marks.filter((mark) => mark >= low && mark <= high);
    const every = Math.ceil(marks.length / 5);
    marks = marks.sort((a, b) => a - b).filter((_, i) => i % every === 0);
  }
  const from = bend(low), over = bend(high) - from;
  return { marks, wide, y: (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (bend(value) - from) / over) };
}

function nearest(sorted, value) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle;
    else high = middle;
  }
  return Math.abs(sorted[low] - value) <= Math.abs(sorted[high] - value) ? low : high;
}

class Chart {
  constructor(chart, parent) {
    this.chart = chart;
    this.figure = make("figure", { className: "chart", hidden: true }, parent);  // until it is drawn
    const caption = make("figcaption", { textContent: `${chart.title} ` }, this.figure);
    this.about = make("span", {}, caption);
    this.svg = draw("svg", { tabindex: 0, role: "img", "aria-label": `${chart.title} ${chart.about}` }, this.figure);
    this.tip = make("div", { className: "tip", role: "status", hidden: true }, this.figure);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerdown", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") this.leave();  // a finger that lifts has not read the values yet
    });
    this.svg.addEventListener("blur", () => this.leave());
    this.svg.addEventListener("keydown", (event) => this.step(event));
  }

  draw() {
    const curves = this.chart.curves.filter((curve) => visible(curve.run));
    const values = curves.flatMap((curve) => curve.y.filter((value) => value !== null));
    if (this.chart.reference !== null) values.push(this.chart.reference);
    this.svg.replaceChildren();
    this.leave();
    this.figure.hidden = !curves.length || !values.length;
    if (this.figure.hidden) return;
    this.width = Math.max(200, this.figure.clientWidth);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.last = Math.max(...curves.map((curve) => curve.x[curve.x.length - 1]), 1);
    this.scale = valueScale(values);
    const facts = [this.chart.about, this.scale.wide ? "log scale" : "", this.chart.dotted && `dotted: ${this.chart.dotted}`];
    this.about.textContent = facts.filter(Boolean).join(" · ");
    this.axes();
    this.curves = curves.map((curve) => ({ ...curve, path: this.path(curve) }));
  }

  x(images) { return LEFT + ((this.width - LEFT - RIGHT) * images) / this.last; }

  axes() {
    for (const mark of this.scale.marks) {
      const y = this.scale.y(mark);
      draw("line", { class: "grid", x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y }, this.svg);
      draw("text", { class: "tick", x: LEFT - 6, y: y + 4, "text-anchor": "end" }, this.svg).textContent = short(mark);
    }
    for (const mark of steps(0, this.last, this.width > 300 ? 5 : 3)) {
      const attributes = { class: "tick", x: this.x(mark), y: HEIGHT - 6, "text-anchor": this.x(mark) > this.width - 24 ? "end" : "middle" };
      draw("text", attributes, this.svg).textContent = count(mark);
    }
    if (this.chart.reference !== null) {
      const y = this.scale.y(this.chart.reference);
      draw("line", { class: "real", x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y }, this.svg);
    }
  }

  path(curve) {
    const run = study.runs[curve.run];
    let d = "", pen = false, end = null;
    curve.x.forEach((images, i) => {
      if (curve.y[i] === null) { pen = false; return; }
      end = [this.x(images), this.scale.y(curve.y[i])];
      d += `${pen ? "L" : "M"}${end[0].toFixed(1)} ${end[1].toFixed(1)}`;
      pen = true;
    });
    const path = draw("path", { class: "curve", d, ...stroke(run.label) }, this.svg);
    if (end && run.broken) {
      const [x, y] = end;
      draw("path", { class: "end", d: `M${x - 4} ${y - 4}l8 8m0-8l-8 8`, stroke: stroke(run.label).stroke }, this.svg);
    } else if (end && (run.state === "running" || curve.x.length === 1)) {
      draw("circle", { class: "end", cx: end[0], cy: end[1], r: 3.2, stroke: stroke(run.label).stroke }, this.svg);
    }
    return path;
  }

  point(event) {
    if (this.figure.hidden) return;
    const box = this.svg.getBoundingClientRect();
    this.show(((event.clientX - box.left - LEFT) / (this.width - LEFT - RIGHT)) * this.last, event.clientY - box.top);
  }

  step(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || this.figure.hidden) return;
    event.preventDefault();
    const times = [...new Set(this.curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
    const now = this.images === null ? (way > 0 ? -1 : times.length) : nearest(times, this.images);
    this.show(times[Math.max(0, Math.min(times.length - 1, now + way))], null);
  }

  show(images, height) {  // images: under the pointer; height: of the pointer in the chart, or null
    const reach = (14 / (this.width - LEFT - RIGHT)) * this.last;
    const found = this.curves.map((curve) => ({ curve, i: nearest(curve.x, images) }));
    const closest = found.reduce((a, b) => (Math.abs(a.curve.x[a.i] - images) <= Math.abs(b.curve.x[b.i] - images) ? a : b));
    this.images = closest.curve.x[closest.i];
    const here = this.curves.map((curve) => ({ curve, i: nearest(curve.x, this.images) }))
      .filter(({ curve, i }) => Math.abs(curve.x[i] - this.images) <= reach);
    const away = ({ curve, i }) => (height === null || curve.y[i] === null ? Infinity : Math.abs(this.scale.y(curve.y[i]) - height));
    const near = here.reduce((a, b) => (away(b) < away(a) ? b : a));
    for (const { path } of this.curves) path.setAttribute("class", "curve" + (height === null ? "" : path === near.curve.path ? " strong" : " dim"));
    this.mark(this.x(this.images));
    this.tip.replaceChildren();
    make("div", { textContent: `${this.images.toLocaleString("en")} images` }, this.tip);
    here.sort((a, b) => (b.curve.y[b.i] ?? -Infinity) - (a.curve.y[a.i] ?? -Infinity));
    for (const { curve, i } of here) {
      const row = make("div", { className: height !== null && curve === near.curve ? "near" : "" }, this.tip);
      const name = make("i", {}, row);
      swatch(study.runs[curve.run].label, name);
      name.append(` ${nameOf(curve.run)}`);
      const std = curve.std && curve.std[i] !== null ? ` ± ${short(curve.std[i])}` : "";
      make("b", { textContent: short(curve.y[i]) + std }, row);
    }
    this.tip.hidden = false;
    const left = this.x(this.images) + 14, room = this.figure.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = `${left <= room ? left : Math.max(0, left - 28 - this.tip.offsetWidth)}px`;
  }

  mark(x) {
    this.cross?.remove();
    this.cross = draw("line", { class: "cross", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }, this.svg);
  }

  leave() {
    this.images = null;
    this.tip.hidden = true;
    this.cross?.remove();
    for (const { path } of this.curves ?? []) path.setAttribute("class", "curve");
  }
}

function addCharts() {
  const place = document.getElementById("charts"), blocks = [];
  const several = new Set(study.charts.map((chart) => chart.group)).size > study.stages.length;
  for (const chart of study.charts) {
    const heading = chart.section + (several ? ` (${chart.group})` : "");
    let block = blocks.find((each) => each.heading === heading && each.stage === chart.stage);
    if (!block) {
      const box = make("div", {}, place);
      make("h3", { textContent: heading }, box);
      block = { heading, stage: chart.stage, box, grid: make("div", { className: "charts" }, box), charts: [] };
      blocks.push(block);
    }
    block.charts.push(new Chart(chart, block.grid));
  }
  const drawAll = () => {
    for (const { stage, box, charts } of blocks) {
      box.hidden = stage !== view.stage;
      if (!box.hidden) charts.forEach((chart) => chart.draw());
    }
  };
  view.redraw.push(drawAll);
  let width = 0;
  new ResizeObserver(() => requestAnimationFrame(() => {
    if (place.clientWidth !== width) { width = place.clientWidth; drawAll(); }
  })).observe(place);
}
if (study.runs.length) addCharts();
