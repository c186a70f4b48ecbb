// SPDX-License-Identifier: Apache-2.0
// The front end as it was before: it fetches, takes `.items`, and knows nothing of freshet.
const names = { cinema: "title", events: "event_title", google_trend: "query" };
for (const [list, name] of Object.entries(names)) {
  fetch(`/api/${list}`)
    .then((response) => response.json())
    .then(({ items }) => {
      for (const item of items) {
        const row = document.createElement("li");
        row.textContent = item[name];
        document.getElementById(list).append(row);
      }
    });
}
