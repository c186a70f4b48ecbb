// SPDX-License-Identifier: Apache-2.0
// The console's entry.
import { createClient } from "@freshet/client";

const client = createClient({ url: new URL("..", document.baseURI) });
const me = await client.me();
document.body.append(`${me.tenant}: ${me.role}`);
