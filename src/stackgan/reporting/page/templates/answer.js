// The answer's pictures: beside each setting the last grid of its best seed, one noise, cut from the galleries' sheets.
function addStrips() {
  for (const ranking of document.querySelectorAll(".ranking")) {
    const strip = study.strips[Number(ranking.dataset.strip)];
    if (!strip) continue;
    const gallery = study.galleries[strip.gallery], { captions, noises, cell, real } = gallery;
    const columns = captions.slice(0, STRIP);
    ranking.classList.add("pictured");
    ranking.style.setProperty("--columns", columns.length);
    ranking.style.setProperty("--aspect", `${cell[0]} / ${cell[1]}`);
    const cells = (item, sheet, rows, words) => columns.forEach((caption, i) => {
      const element = make("i", { className: "cell" }, item.querySelector(".strip"));
      fillCell(element, gallery, sheet, [i, 0], rows, `${words}: ${caption}`);
    });
    const head = ranking.querySelector(".captions"), first = ranking.querySelector(".reals");
    for (const caption of columns) make("span", { textContent: caption, title: caption }, head.querySelector(".strip"));
    head.hidden = false;
    first.hidden = first.hidden && real === null;
    if (real !== null) cells(first, real, 1, "real picture");
    for (const item of ranking.querySelectorAll("[data-run]")) {
      const run = Number(item.dataset.run);
      const frames = strip.runs.includes(run) ? gallery.runs.find((row) => row.run === run).frames : [];
      const sheet = frames.length ? frames[frames.length - 1] : null;
      if (sheet !== null) cells(item, sheet, noises.length, nameOf(run));
    }
  }
}
const STRIP = 8;  // captions
if (study.runs.length) addStrips();
