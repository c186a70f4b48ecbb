// SPDX-License-Identifier: Apache-2.0
// The common looks. Everything is set by custom properties on any element above; the colours follow the page's own
// color-scheme, and meet 4.5:1 on white and on #16181d.
import { css } from "lit";

/** What view.ts draws, in an element as on the console's pages. */
export const drawing = css`
  :host, :root {
    --_fresh: var(--freshet-fresh, light-dark(#17663a, #7ddc9f));
    --_stale: var(--freshet-stale, light-dark(#7a5200, #f0c264));
    --_overdue: var(--freshet-overdue, light-dark(#9a3c00, #ffab70));
    --_failing: var(--freshet-failing, light-dark(#b3122b, #ff8f9c));
    --_quiet: var(--freshet-quiet, light-dark(#5a6070, #a6adbb));
    --_accent: var(--freshet-accent, light-dark(#1f5fbf, #86b7ff));
    --_line: var(--freshet-line, light-dark(#8a91a0, #707888));
    --_soft: var(--freshet-soft, light-dark(#eef1f6, #272b34));
    --_radius: var(--freshet-radius, 0.4em);
  }
  .mark { display: inline-flex; align-items: center; gap: 0.3em; font-weight: 600; }
  .good { color: var(--_fresh); } .warn { color: var(--_stale); } .late { color: var(--_overdue); } .bad { color: var(--_failing); } .go { color: var(--_accent); }
  .quiet, .soft { color: var(--_quiet); }
  .glyph { inline-size: 1.1em; block-size: 1.1em; fill: none; stroke: currentColor; stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; flex: none; vertical-align: -0.15em; }
  progress { --_tone: var(--_accent); appearance: none; inline-size: 8em; block-size: 0.5em; border: 0; border-radius: 1em; overflow: hidden; background: var(--_soft); box-shadow: inset 0 0 0 1px var(--_line); flex: none; }
  progress::-webkit-progress-bar { background: transparent; }
  progress::-webkit-progress-value { background: var(--_tone); border-radius: 1em; transition: inline-size 0.2s; }
  progress::-moz-progress-bar { background: var(--_tone); }
  progress:indeterminate { background: repeating-linear-gradient(90deg, var(--_tone) 0 1em, var(--_soft) 1em 2em); background-size: 2em 100%; animation: flow 0.9s linear infinite; }
  @keyframes flow { to { background-position-x: 2em; } }
  @media (prefers-reduced-motion: reduce) {
    progress:indeterminate { animation: none; }
    progress::-webkit-progress-value { transition: none; }
  }
  progress.good { --_tone: var(--_fresh); } progress.warn { --_tone: var(--_stale); } progress.bad { --_tone: var(--_failing); }
`;

export const common = [drawing, css`
  :host { display: inline-block; font: inherit; max-inline-size: 100%; }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; }
  .line { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 0.25em 0.6em; max-inline-size: 100%; text-align: start; }
  [part="outcome"], [part="warning"] { flex-wrap: nowrap; }
  time { color: var(--_quiet); white-space: nowrap; }
  .quiet, time { font-size: 0.92em; }
  bdi, time { font-variant-numeric: tabular-nums; }
  button {
    font: inherit; color: inherit; cursor: pointer; min-block-size: 1.9em; padding: 0.2em 0.85em;
    background: var(--freshet-button, var(--_soft)); border: 1px solid var(--_line); border-radius: var(--_radius);
  }
  button:hover { border-color: var(--_accent); }
  button:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
  button.unasked { visibility: hidden; }
  button[aria-disabled="true"] { cursor: default; color: var(--_quiet); border-style: dashed; }
  .card { display: grid; gap: 0.5em; padding: 0.9em 1em; border: 1px solid var(--_line); border-radius: calc(var(--_radius) * 1.5); text-align: start; }
  .card progress { inline-size: 100%; }
  .title { font-weight: 600; overflow-wrap: anywhere; }
  ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 0.25em; }
  li { display: flex; flex-wrap: wrap; gap: 0 0.5em; align-items: baseline; overflow-wrap: anywhere; min-inline-size: 0; }
`];
