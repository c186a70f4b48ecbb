// SPDX-License-Identifier: Apache-2.0
// The common looks. Everything is set by custom properties on any element above; the colours follow the page's own
// color-scheme, and meet 4.5:1 on white and on #16181d.
import { css } from "lit";

export const common = css`
  :host {
    --_fresh: var(--freshet-fresh, light-dark(#17663a, #7ddc9f));
    --_stale: var(--freshet-stale, light-dark(#7a5200, #f0c264));
    --_overdue: var(--freshet-overdue, light-dark(#9a3c00, #ffab70));
    --_failing: var(--freshet-failing, light-dark(#b3122b, #ff8f9c));
    --_quiet: var(--freshet-quiet, light-dark(#5a6070, #a6adbb));
    --_accent: var(--freshet-accent, light-dark(#1f5fbf, #86b7ff));
    --_line: var(--freshet-line, light-dark(#8a91a0, #707888));
    --_soft: var(--freshet-soft, light-dark(#eef1f6, #272b34));
    --_radius: var(--freshet-radius, 0.4em);
    display: inline-block;
    font: inherit;
    max-inline-size: 100%;
  }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; }
  .line { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 0.25em 0.6em; max-inline-size: 100%; text-align: start; }
  .quiet, time { color: var(--_quiet); font-size: 0.92em; }
  bdi, time { font-variant-numeric: tabular-nums; }
  .warn { color: var(--_overdue); }
  .bad { color: var(--_failing); }
  svg { inline-size: 1.1em; block-size: 1.1em; fill: none; stroke: currentColor; stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; flex: none; vertical-align: -0.15em; }
  button {
    font: inherit; color: inherit; cursor: pointer; min-block-size: 1.9em; padding: 0.2em 0.85em;
    background: var(--freshet-button, var(--_soft)); border: 1px solid var(--_line); border-radius: var(--_radius);
  }
  button:hover { border-color: var(--_accent); }
  button:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
  button[aria-disabled="true"] { cursor: default; color: var(--_quiet); border-style: dashed; }
  progress { appearance: none; inline-size: 8em; block-size: 0.5em; border: 0; border-radius: 1em; overflow: hidden; background: var(--_soft); box-shadow: inset 0 0 0 1px var(--_line); flex: none; }
  progress::-webkit-progress-bar { background: transparent; }
  progress::-webkit-progress-value { background: var(--_accent); border-radius: 1em; transition: inline-size 0.2s; }
  progress::-moz-progress-bar { background: var(--_accent); }
  progress:indeterminate { background: repeating-linear-gradient(90deg, var(--_accent) 0 1em, var(--_soft) 1em 2em); background-size: 2em 100%; animation: flow 0.9s linear infinite; }
  @keyframes flow { to { background-position-x: 2em; } }
  @media (prefers-reduced-motion: reduce) {
    progress:indeterminate { animation: none; }
    progress::-webkit-progress-value { transition: none; }
  }
  .card { display: grid; gap: 0.5em; padding: 0.9em 1em; border: 1px solid var(--_line); border-radius: calc(var(--_radius) * 1.5); text-align: start; }
  .card progress { inline-size: 100%; }
  .title { font-weight: 600; overflow-wrap: anywhere; }
  ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 0.25em; }
  li { display: flex; gap: 0.5em; align-items: baseline; overflow-wrap: anywhere; min-inline-size: 0; }
`;

/** A shape beside each word, so that colour is never alone. */
export const shapes: Record<string, string> = {
  fresh: "M20 6 9 17l-5-5",
  stale: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2",
  overdue: "M12 3 2.5 20h19zM12 10v4M12 17v.1",
  failing: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9 9l6 6M15 9l-6 6",
  empty: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 12h8",
  checking: "M21 12a9 9 0 1 1-3-6.7M21 3v5h-5",
  running: "M8 5l11 7-11 7z",
  queued: "M6 12h.1M12 12h.1M18 12h.1",
};
export const shapeOf = (state: string): string =>
  shapes[state] ?? shapes[({ succeeded: "fresh", failed: "failing", aborted: "failing", partial: "overdue", cancelled: "empty", sealed: "running", ending: "running", cancelling: "running" } as Record<string, string>)[state] ?? "queued"]!;
