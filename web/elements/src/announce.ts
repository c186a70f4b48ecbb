// SPDX-License-Identifier: Apache-2.0
// The one voice of a document: a polite status line that nobody sees. What is said comes at least 5 s apart, of what
// waits only the latest of each speaker; ends and failures are never dropped for progress.
const apart = 5_000;
let region: HTMLElement | undefined;
let spokenAt = -Infinity;
let timer: ReturnType<typeof setTimeout> | undefined;
const waiting = new Map<object, string>();

function speak(): void {
  timer = undefined;
  const text = [...waiting.values()].join(". ");
  if (!text) return;
  waiting.clear();
  if (!region?.isConnected) {
    region = document.createElement("div");
    region.setAttribute("role", "status");
    region.className = "freshet-announcer";
    // By script, which a content policy allows; a style attribute it would not.
    Object.assign(region.style, { position: "fixed", inlineSize: "1px", blockSize: "1px", overflow: "hidden", clipPath: "inset(50%)", whiteSpace: "nowrap" });
    document.body.append(region);
  }
  region.textContent = text;
  spokenAt = performance.now();
}

export function announce(speaker: object, text: string): void {
  waiting.set(speaker, text);
  timer ??= setTimeout(speak, Math.max(50, spokenAt + apart - performance.now()));
}
