// charts.ts - what /history and the points behind it say, drawn with uPlot. Each chart's caption has the newest numbers
// as text, or those under the pointer: who does not see the drawing misses nothing.
import uPlot from "uplot";
import { clock, count, time } from "./format";
import { byId, make, setText } from "./dom";
import type { History, Point } from "./types";

interface Line {
  name: string; // of the series
  label: string;
  ink: string; // CSS variable
  dash: string;
}

interface Chart {
  title: string;
  lines: Line[];
  is_time: boolean;
  plot: uPlot | null;
  figure: HTMLElement;
  values: HTMLElement[];
  hovered: number | null;
}

const HEIGHT = 190;
const quantiles = (of: string): Line[] => [
  { name: `${of}/p50`, label: "P50", ink: "--p50", dash: "" },
  { name: `${of}/p99`, label: "P99", ink: "--p99", dash: "dash" },
  { name: `${of}/p999`, label: "P99.9", ink: "--p999", dash: "dot" },
];
const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Of a logarithmic axis only the powers of ten are told.
const decades = (_u: uPlot, splits: (number | null)[]): (number | null)[] =>
  splits.map((s) => (s !== null && Number.isInteger(Math.round(Math.log10(s) * 1e6) / 1e6) ? s : null));
const power = (ns: number): string => time(ns).replace(/\.0+ /, " ");

export class Charts {
  private history: History = { step_ms: 2000, series: [], points: [] };
  private charts: Chart[] = [];
  private readonly select = byId<HTMLSelectElement>("chart-feed");
  private readonly box = byId("charts");

  constructor(private readonly missed: () => void) {
    this.select.addEventListener("change", () => this.rebuild());
    new ResizeObserver(() => this.resize()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.rebuild());
  }

  take(history: History): void {
    const feeds = history.series.filter((name) => name.endsWith("/messages_per_s")).map((name) => name.split("/")[0]!);
    const same = history.series.join() === this.history.series.join();
    this.history = history;
    if (same && this.charts.length) {
      this.draw();
      return;
    }
    const was = this.select.value;
    this.select.replaceChildren(...feeds.map((feed) => new Option(feed, feed, false, feed === was)));
    this.rebuild();
  }

  add(point: Point | null | undefined): void {
    const points = this.history.points;
    const last = points[points.length - 1];
    if (!point || (last && last.n >= point.n)) return;
    if (point.values.length !== this.history.series.length || (last && point.n > last.n + 1)) {
      this.missed();
      return;
    }
    points.push(point);
    if (points.length > 450) points.shift();
    this.draw();
  }

  // Also when the theme changes: the colours of a drawing do not follow by themselves.
  rebuild(): void {
    for (const chart of this.charts) chart.plot?.destroy();
    const feed = this.select.value;
    const chart = (title: string, lines: Line[], is_time = true): Chart =>
      ({ title, lines, is_time, plot: null, figure: make("figure"), values: [], hovered: null });
    const wanted = [
      chart("Exchange to receive", quantiles(`${feed}/exchange_to_receive`)),
      chart("Receive to decoded", quantiles(`${feed}/receive_to_decoded`)),
      chart("Decoded to visible", quantiles(`${feed}/decoded_to_visible`)),
      chart("Messages and records a second", [
        { name: `${feed}/messages_per_s`, label: "messages", ink: "--p50", dash: "" },
        { name: `${feed}/records_per_s`, label: "records", ink: "--p99", dash: "dash" },
      ], false),
      chart("Journal: published to durable", quantiles("writer:journal/durable")),
      chart("PostgreSQL: published to committed", quantiles("writer:postgres/stored")),
      chart("Not yet durable, records", [{ name: `${feed}/undurable`, label: "records", ink: "--p50", dash: "" }], false),
    ];
    this.charts = wanted.filter((c) => c.lines.some((line) => this.history.series.includes(line.name))).slice(0, 6);
    this.box.replaceChildren(...this.charts.map((c) => this.build(c)));
    this.draw();
  }

  private build(chart: Chart): HTMLElement {
    const caption = make("figcaption");
    caption.append(make("strong", "", chart.title));
    chart.values = chart.lines.map((line) => {
      const value = make("span", line.dash);
      value.style.setProperty("--ink", `var(${line.ink})`);
      caption.append(value);
      return value;
    });
    const plot = make("div", "plot");
    plot.setAttribute("aria-hidden", "true");
    chart.figure.append(caption, plot);
    chart.plot = new uPlot(this.options(chart), this.data(chart), plot);
    return chart.figure;
  }

  private options(chart: Chart): uPlot.Options {
    const [soft, line] = [colour("--soft"), colour("--line")];
    const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    return {
      width: this.width(), height: HEIGHT, legend: { show: false },
      cursor: { y: false, points: { size: 6 } },
      scales: { x: { time: true }, y: chart.is_time ? { distr: 3, log: 10 } : { range: (_u, _low, high) => [0, Math.max(high * 1.1, 1)] } },
      axes: [
        { ...axis, space: 70, size: 26, values: (_u, splits) => splits.map((s) => clock(s * 1000).slice(0, s % 60 ? 8 : 5)) },
        {
          ...axis, size: 58, ...(chart.is_time ? { grid: { ...axis.grid, filter: decades }, filter: decades } : {}),
          values: (_u, splits) => splits.map((s) => (s === null ? "" : chart.is_time ? power(s) : count(s))),
        },
      ],
      series: [{}, ...chart.lines.map((l): uPlot.Series => ({
        label: l.label, stroke: colour(l.ink), width: 1.75, points: { show: false }, spanGaps: false,
        ...(l.dash === "dash" ? { dash: [6, 4] } : l.dash === "dot" ? { dash: [2, 3] } : {}),
      }))],
      hooks: { setCursor: [(u) => { chart.hovered = u.cursor.idx ?? null; this.caption(chart); }] },
    };
  }

  private data(chart: Chart): uPlot.AlignedData {
    const at = chart.lines.map((line) => this.history.series.indexOf(line.name));
    const points = this.history.points;
    // A logarithm wants more than nothing.
    const value = (v: number | null | undefined): number | null => (v == null ? null : chart.is_time ? Math.max(v, 1) : v);
    return [points.map((p) => p.time_ms / 1000), ...at.map((i) => points.map((p) => value(p.values[i])))] as uPlot.AlignedData;
  }

  private caption(chart: Chart): void {
    const points = this.history.points;
    const at = chart.hovered !== null && chart.plot && chart.plot.cursor.left! >= 0 ? chart.hovered : points.length - 1;
    chart.lines.forEach((line, i) => {
      const value = points[at]?.values[this.history.series.indexOf(line.name)];
      setText(chart.values[i]!, `${line.label} ${value == null ? "-" : chart.is_time ? time(value) : count(value)}`);
    });
  }

  private draw(): void {
    for (const chart of this.charts) {
      chart.plot?.setData(this.data(chart));
      this.caption(chart);
    }
  }

  private width(): number {
    const columns = Math.max(1, Math.floor((this.box.clientWidth + 24) / (25 * 16 + 24)));
    return Math.max(200, Math.floor((this.box.clientWidth - (columns - 1) * 24) / columns));
  }

  private resize(): void {
    for (const chart of this.charts) chart.plot?.setSize({ width: this.width(), height: HEIGHT });
  }
}
