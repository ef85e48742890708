/** Charts of the statistics page with uPlot; where it is missing, the pictures that the server drew stay. */

const page = JSON.parse(document.getElementById("statistics-data")?.textContent ?? "null");
const DAY = 86_400;

const days = page && new Intl.DateTimeFormat(page.locale, { month: "numeric", day: "numeric", timeZone: "UTC" });
const number = (value) => value.toLocaleString(page.locale);

function when(chart, x) {
  if (chart.time) return days.format(x * 1000);
  if (x === 0) return page.words.first;
  return (x < 0 ? page.words.before : page.words.after).replace("{n}", String(Math.abs(x)));
}

function seriesOf(UPlot, one, colour) {
  const plain = { points: { show: false } };
  if (one.kind === "bars") {
    const fill = colour("--accent-text");
    return { ...plain, fill, stroke: fill, width: 0, paths: UPlot.paths.bars({ size: [0.8, 40] }) };
  }
  if (one.kind === "limit") return { ...plain, stroke: colour("--ink-soft"), width: 1.5, dash: [6, 4] };
  if (one.kind === "other") return { ...plain, stroke: colour("--ink-soft"), width: 1.5 };
  return { ...plain, stroke: colour("--accent-text"), width: 2.5 };
}

function optionsOf(UPlot, chart, box, read) {
  const style = getComputedStyle(box);
  const colour = (name) => style.getPropertyValue(name).trim();
  const size = parseFloat(style.fontSize);
  const font = `${size}px ${style.fontFamily}`;
  const axis = { stroke: colour("--ink-soft"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const [low, high] = [chart.x[0], chart.x.at(-1)];
  // Bars stand on their day's middle, so that half of one stays on either side.
  const room = (chart.time ? DAY : 1) * (chart.series[0].kind === "bars" || low === high ? 0.6 : 0);
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    tzDate: (seconds) => UPlot.tzDate(new Date(seconds * 1000), "UTC"),
    legend: { show: false },
    padding: [size, size, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: chart.time, range: () => [low - room, high + room] },
      y: { range: () => [0, chart.marks.at(-1)] },
    },
    axes: [
      {
        ...axis,
        size: size * 2,
        space: size * 5,
        grid: { show: false },
        incrs: [1, 2, 5, 7, 14, 30, 60, 90, 180].map((one) => one * (chart.time ? DAY : 1)),
        values: (_plot, at) => at.map((one) => (chart.time ? days.format(one * 1000) : String(one))),
      },
      {
        ...axis,
        size: size * (1.5 + 0.6 * String(chart.marks.at(-1)).length),
        splits: () => chart.marks,
        values: (_plot, at) => at.map(number),
      },
    ],
    series: [{}, ...chart.series.map((one) => seriesOf(UPlot, one, colour))],
    hooks: {
      setCursor: [
        (plot) => {
          const at = plot.cursor.idx;
          const shown = plot.cursor.left >= 0 && at !== null && at !== undefined;
          const said = shown ? chart.series.filter((one) => one.values[at] !== null).map((one) => `${one.label} ${number(one.values[at])}`) : [];
          read.textContent = shown ? [when(chart, chart.x[at]), ...said].join(" · ") : "";
        },
      ],
    },
  };
}

function draw(UPlot, box) {
  const chart = page.charts[box.dataset.graph];
  const figure = box.closest("figure");
  const read = figure.querySelector("[data-read]");
  let plot = null;
  const anew = () => {
    plot?.destroy();
    plot = new UPlot(optionsOf(UPlot, chart, box, read), [chart.x, ...chart.series.map((one) => one.values)], box);
  };
  box.querySelector("svg").setAttribute("hidden", "");
  figure.querySelector("[data-ends]").hidden = true;
  anew();
  new ResizeObserver(() => {
    if (box.clientWidth > 0) plot.setSize({ width: box.clientWidth, height: box.clientHeight });
  }).observe(box);
  for (const query of ["(prefers-color-scheme: dark)", "(min-resolution: 1.5dppx)"]) {
    matchMedia(query).addEventListener("change", anew);
  }
}

if (page) {
  try {
    const UPlot = (await import("../vendor/uplot/uPlot.esm.js")).default;
    for (const box of document.querySelectorAll("[data-graph]")) draw(UPlot, box);
  } catch {
    // the server's pictures stay
  }
}
