// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { shared } from "../vite.shared.ts";

export default defineConfig(shared({ console: fileURLToPath(new URL("index.html", import.meta.url)) }));
