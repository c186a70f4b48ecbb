// SPDX-License-Identifier: Apache-2.0
export { createClient } from "@freshet/client";
