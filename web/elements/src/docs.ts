// SPDX-License-Identifier: Apache-2.0
// The page at /elements/: it uses the elements as any page does, from their one address.
void import(/* @vite-ignore */ new URL("../elements.js", document.baseURI).href);
