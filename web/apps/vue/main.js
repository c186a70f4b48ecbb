// SPDX-License-Identifier: Apache-2.0
// A page in Vue 3: the elements come from the server's own /elements.js, after the app is drawn.
import { createApp } from "vue";
import App from "./App.vue";

const server = new URLSearchParams(location.search).get("server");
createApp(App, { server }).mount("#app");
document.head.append(Object.assign(document.createElement("script"), { type: "module", src: `${server}/elements.js` }));
