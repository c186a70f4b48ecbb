// SPDX-License-Identifier: Apache-2.0
// Where the reader is: a path below /console/ and filters in the query. Links are plain links; this only spares the reload.
import { base } from "./api.js";

export interface Place {
  /** Below /console/, decoded segments. */
  path: string[];
  query: URLSearchParams;
}

const heard = new Set<() => void>();
export const onPlace = (listener: () => void): (() => void) => (heard.add(listener), () => heard.delete(listener));

/** An address that somebody cut in the middle of a letter is still one. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function place(): Place {
  const rest = location.pathname.startsWith(base.pathname) ? location.pathname.slice(base.pathname.length) : "";
  return { path: rest.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(location.search) };
}

/** A value as it stands in a key: all but the unreserved letters is encoded, as the server does it. */
const encoded = (value: string): string => encodeURIComponent(value).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
/** The key that the address of its page names; older links have all of it in one part. */
export const keyOf = (path: string[]): string => (path[0]?.includes("/") ? path[0] : path.map(encoded).join("/"));
/** The address of a key's page, in which its values can be read. */
export const keyHref = (key: string): string => `${href("source")}/${key}`;
/** A key as people read it. */
export const keyText = (key: string): string => key.split("/").map((part) => decoded(part).replaceAll("/", "%2F")).join("/");

/** The address of a page: href("jobs", id) or href("jobs", {state: "failed"}). */
export function href(...parts: (string | Record<string, string | undefined>)[]): string {
  const url = new URL(base);
  for (const part of parts) {
    if (typeof part === "string") url.pathname += (url.pathname.endsWith("/") ? "" : "/") + encodeURIComponent(part);
    else for (const [name, value] of Object.entries(part)) if (value) url.searchParams.set(name, value);
  }
  return url.pathname + url.search;
}

export function go(to: string, replace = false): void {
  if (to === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  heard.forEach((listener) => listener());
}

/** Sets or drops filters of the page that is shown. */
export function filter(values: Record<string, string | undefined>): void {
  const { path, query } = place();
  for (const [name, value] of Object.entries(values)) value ? query.set(name, value) : query.delete(name);
  query.delete("after");
  go(href(...path, Object.fromEntries(query)), true);
}

addEventListener("popstate", () => heard.forEach((listener) => listener()));
addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.composedPath().find((node): node is HTMLAnchorElement => node instanceof HTMLAnchorElement);
  if (!link || link.target || link.hasAttribute("download") || !link.href.startsWith(base.href)) return;
  event.preventDefault();
  const moved = link.pathname !== location.pathname;
  go(link.pathname + link.search);
  if (moved) scrollTo(0, 0);
});
