// SPDX-License-Identifier: Apache-2.0
// The form of the sign-in page: the token goes into the body of a request, so that it is in no address and no log. Without
// this script the form sends it as ?token=, which the server takes once, too.
const form = document.getElementById("sign-in");
const wrong = document.getElementById("wrong");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = form.elements.token.value.trim();
  try {
    const response = await fetch(new URL("../v1/session", import.meta.url), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (!response.ok) {
      const problem = await response.json();
      wrong.textContent = problem.detail ?? problem.title;
      return;
    }
    // What opened nothing does not stay in the address.
    const address = new URL(location.href);
    address.searchParams.delete("token");
    location.replace(address);
  } catch (error) {
    wrong.textContent = error.message;
  }
});
