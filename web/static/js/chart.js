/** Admissions over time with uPlot; where uPlot is missing, the server's plain picture is kept up instead. */

const MINUTES = 120;
const SVG = "http://www.w3.org/2000/svg";

/** The document's series as columns from `first` to `last` (slots of `step` minutes), with refusals where known. */
export function columns(board, span, seconds) {
  const step = span === "day" ? board.day.step : 1;
  const current = Math.floor((seconds - board.starts) / 60 / step);
  const begin = span === "day" ? firstOfDay(board, current) : current - MINUTES + 1;
  const series = span === "day" ? board.day : board.minutes;
  const x = [];
  const admitted = [];
  const refused = [];
  for (let slot = begin; slot <= current; slot += 1) {
    x.push(board.starts + slot * step * 60);
    admitted.push(series.entries[slot - series.from] ?? 0);
    refused.push((span === "day" ? 0 : board.minutes.refused[slot - series.from]) || null);
  }
  return { step, x, admitted, refused };
}

/** The day's picture begins half an hour before its first scan, and is never narrower than four hours. */
function firstOfDay(board, current) {
  const wide = Math.max(0, current - (4 * 60) / board.day.step + 1);
  return board.day.entries.length ? Math.min(wide, Math.max(0, board.day.from - 6)) : wide;
}

/** Whole steps that people read easily, at most five of them. */
export function ticks(top) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
  const step = steps.find((one) => top / one <= 5) ?? 20_000;
  const found = [];
  for (let value = 0; value < top + step; value += step) found.push(value);
  return found;
}

export class Chart {
  constructor({ target, plain, read, words, say, minute }) {
    Object.assign(this, { target, plain, read, words, say, minute });
    this.uplot = null;
    this.plot = null;
    this.span = "";
    this.last = null;
    this.#load();
  }

  async #load() {
    try {
      this.uplot = (await import("../vendor/uplot/uPlot.esm.js")).default;
    } catch {
      return; // the plain picture stays
    }
    new ResizeObserver(() => this.#fit()).observe(this.target);
    for (const query of ["(prefers-color-scheme: dark)", "(min-resolution: 1.5dppx)"]) {
      matchMedia(query).addEventListener("change", () => this.#anew());
    }
    if (this.last) this.show(...this.last);
  }

  show(board, span, seconds) {
    this.last = [board, span, seconds];
    const data = columns(board, span, seconds);
    if (!this.uplot) {
      this.#draw(data);
      return;
    }
    this.now = seconds;
    this.step = data.step;
    this.range = [data.x[0] - 30 * data.step, data.x.at(-1) + 60 * data.step * (span === "day" ? 2 : 4)];
    if (!this.plot || span !== this.span) {
      this.span = span;
      this.plot?.destroy();
      this.plain.setAttribute("hidden", "");
      this.plot = new this.uplot(this.#options(), [data.x, data.admitted, data.refused], this.target);
    } else {
      this.plot.setData([data.x, data.admitted, data.refused]);
    }
  }

  #fits(at) {
    const [first, last] = this.range;
    const edge = ((last - first) * 2.5 * parseFloat(getComputedStyle(this.target).fontSize)) / this.target.clientWidth;
    return at > first && at < last - edge / 2;
  }

  #anew() {
    this.span = "";
    if (this.last) this.show(...this.last);
  }

  #fit() {
    const size = this.#size();
    if (this.plot && size.width > 0) this.plot.setSize(size);
  }

  #size() {
    return { width: this.target.clientWidth, height: this.target.clientHeight };
  }

  #options() {
    const style = getComputedStyle(this.target);
    const colour = (name) => style.getPropertyValue(name).trim();
    const size = parseFloat(style.fontSize);
    const font = `${size}px ${style.fontFamily}`;
    const axis = {
      stroke: colour("--chart-ink"),
      font,
      labelFont: font,
      grid: { stroke: colour("--chart-grid"), width: 1 },
      ticks: { show: false },
    };
    return {
      ...this.#size(),
      // What stands in the corner on hover is said above the chart, where a keyboard's reader finds the table too.
      legend: { show: false },
      padding: [size * 0.75, size * 0.5, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: true, range: () => this.range },
        y: { range: (_plot, _low, high) => [0, ticks(Math.max(high || 0, 4)).at(-1)] },
      },
      axes: [
        {
          ...axis,
          size: size * 2,
          gap: size * 0.35,
          space: size * 5,
          incrs: [600, 900, 1800, 3600, 7200, 14_400, 21_600],
          grid: { show: false },
          // One that would stand half outside says nothing.
          values: (_plot, at) => at.map((one) => (this.#fits(one) ? this.minute(one) : "")),
        },
        {
          ...axis,
          size: (_plot, values) => size * (1.25 + 0.6 * Math.max(1, ...(values ?? [""]).map((one) => one.length))),
          gap: size * 0.35,
          label: this.span === "day" ? this.words.admitted_step_axis : this.words.admitted_axis,
          labelSize: size * 1.5,
          splits: (_plot, _index, _low, high) => ticks(high).filter((one) => one <= high),
          values: (_plot, at) => at.map(String),
        },
      ],
      series: [
        {},
        {
          fill: colour("--chart-fill"),
          stroke: colour("--chart-fill"),
          width: 0,
          points: { show: false },
          paths: this.uplot.paths.bars({ size: [0.8, 40], align: 1 }),
        },
        {
          stroke: colour("--chart-stop"),
          paths: () => null,
          points: { show: true, size: Math.min(size * 0.5, Math.max(4, this.target.clientWidth / 90)), width: 1.5, stroke: colour("--chart-stop"), fill: colour("--chart-paper") },
        },
      ],
      hooks: {
        draw: [(plot) => this.#nowLine(plot, colour("--chart-ink"), font)],
        setCursor: [(plot) => this.#readOut(plot)],
      },
    };
  }

  #nowLine(plot, ink, font) {
    const { ctx, bbox } = plot;
    const x = Math.round(plot.valToPos(this.now, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    const ratio = globalThis.devicePixelRatio || 1;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = ink;
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = font.replace(/^[\d.]+/, (size) => String(size * ratio * 0.85));
    ctx.textAlign = "right";
    ctx.textBaseline = "top";
    ctx.fillText(this.words.now, x - 4 * ratio, bbox.top);
    ctx.restore();
  }

  #readOut(plot) {
    const at = plot.cursor.idx;
    if (at === null || at === undefined || plot.cursor.left < 0) {
      this.read.textContent = "";
      return;
    }
    const [x, admitted, refused] = plot.data;
    const said = this.say(this.words.read_out, { time: this.minute(x[at]), n: admitted[at] });
    this.read.textContent = refused[at]
      ? `${said} · ${this.say(this.words.read_refused, { n: refused[at] })}`
      : said;
  }

  /** Without uPlot: bars of the server's own kind. */
  #draw({ admitted }) {
    const most = Math.max(1, ...admitted);
    this.plain.setAttribute("viewBox", `0 0 ${admitted.length} 100`);
    this.plain.replaceChildren(
      ...admitted.flatMap((value, index) => {
        if (!value) return [];
        const bar = document.createElementNS(SVG, "rect");
        const height = (100 * value) / most;
        for (const [name, number] of Object.entries({ x: index, y: 100 - height, width: 0.8, height })) {
          bar.setAttribute(name, String(number));
        }
        return [bar];
      }),
    );
  }
}
