// SPDX-License-Identifier: Apache-2.0
// Seconds per phase of each refresh, stacked: a file of its own, loaded when there is something to draw.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Job } from "@freshet/client";
import { span, tickOf, tw } from "./i18n.js";

const drawn = new WeakMap<HTMLElement, { plot: uPlot; of: string }>();
const tones = ["--go", "--good", "--warn", "--late", "--soft"];

export function draw(place: HTMLElement, jobs: Job[]): void {
  const ended = jobs.filter((job) => job.finished_at).sort((a, b) => (a.finished_at! < b.finished_at! ? -1 : 1)).slice(-200);
  const of = `${ended.length} ${ended.at(-1)?.id} ${place.clientWidth}`;
  const before = drawn.get(place);
  if (before?.of === of) return;
  before?.plot.destroy();
  const names = [...new Set(ended.flatMap((job) => (job.phases ?? []).map((phase) => phase.name)))];
  const style = getComputedStyle(place);
  const ink = style.getPropertyValue("--soft");
  const sums = ended.map(() => 0);
  const series = names.map((name) => ended.map((job, i) => (sums[i]! += (job.phases?.find((phase) => phase.name === name)?.ms ?? 0) / 1000)));
  const axis = { stroke: ink, grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { show: false } };
  const plot = new uPlot(
    {
      width: Math.max(240, place.clientWidth),
      height: 180,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_, __, max) => [0, max * 1.1 || 1] } },
      axes: [{ ...axis, space: 96, values: (_, values) => values.map((value) => tickOf(value * 1000, ((values[1] ?? value) - values[0]!) * 1000)) }, { ...axis, size: 56, values: (_, values) => values.map((value) => span(value * 1000)) }],
      // The last phase reaches highest and is drawn first, so that each shows its own part.
      series: [{}, ...names.map((name, i) => ({ label: tw("phase", name), stroke: style.getPropertyValue(tones[i % tones.length]!), fill: style.getPropertyValue(tones[i % tones.length]!) + "33", width: 1.25, points: { show: ended.length < 40, size: 4 } })).reverse()],
    },
    [ended.map((job) => Date.parse(job.finished_at!) / 1000), ...series.reverse()] as uPlot.AlignedData,
    place,
  );
  drawn.set(place, { plot, of });
}
