// SPDX-License-Identifier: Apache-2.0
// Empties the folder that the builds write into together, so that no hashed file of an older build stays in it.
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

rmSync(process.env.FRESHET_WEB_OUT ?? fileURLToPath(new URL("../../build/web/dist", import.meta.url)), { recursive: true, force: true });
