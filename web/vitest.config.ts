// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from "vitest/config";
import { alias } from "./vite.shared.ts";

export default defineConfig({
  resolve: { alias },
  test: { include: ["*/test/**/*.test.{ts,tsx}"] },
});
