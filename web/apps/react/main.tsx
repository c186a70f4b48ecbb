// SPDX-License-Identifier: Apache-2.0
// A page in React 19: the elements come with the bundle, the hooks stand beside them, one client serves both. What is
// shown, and of what, is the app's own state.
import { createClient, type Client, type Diff, type Job, type Meta } from "@freshet/client";
import "@freshet/elements";
import "@freshet/elements/react";
import { FreshetProvider, useBatch, useConnection, useJob, useRefresh, useSnapshot } from "@freshet/react";
import { StrictMode, useCallback, useState } from "react";
import { createRoot } from "react-dom/client";

interface Row {
  name: string;
  price: number;
}
const asked = new URLSearchParams(location.search);
const server = asked.get("server")!;
const job = asked.get("job")!;
const batch = asked.get("batch")!;

const tokenFrom = (path: string) => {
  let token: Promise<string> | undefined;
  return () => (token ??= fetch(path).then(async (answer) => ((await answer.json()) as { token: string }).token));
};
/** Of two short tokens one sees keys of a source, and their refreshes, the other work of some queues. */
const client: Client = createClient({ url: server, token: tokenFrom("/token") });
const worker: Client = createClient({ url: server, token: tokenFrom("/work") });

/** A source by the hooks alone. */
function Data({ source }: { source: string }) {
  const { data, state, problem } = useSnapshot<Row[]>(source);
  const { refresh, busy, result } = useRefresh<Row[]>(source);
  return (
    <section>
      <button aria-disabled={busy} onClick={() => void refresh()}>Refresh by hook</button>
      <p id="way">{useConnection()}</p>
      <p id="rows">{state} {data?.map((row) => row.name).join()} {problem}</p>
      <p id="outcome">{busy ? "busy" : result && `${result.outcome} +${result.counts?.added}`}</p>
    </section>
  );
}

/** Work by the hooks alone. */
function Work() {
  const { job: long, over } = useJob(job);
  const { batch: parts, items } = useBatch(batch);
  return (
    <section>
      <p id="long">{long?.state} {over ? "over" : "goes on"}</p>
      <p id="parts">{parts?.counts.done} of {items.length}</p>
    </section>
  );
}

/** By the elements: attributes and properties from the state, events into it. */
function Elements({ source }: { source: string }) {
  const [rows, setRows] = useState<Row[]>([]);
  const [known, setKnown] = useState<Meta>();
  const [heard, setHeard] = useState<string[]>([]);
  const [changes, setChanges] = useState<Diff>();
  const [receipt, setReceipt] = useState<Job>();
  const [still, setStill] = useState(true);
  const note = useCallback((event: Event) => setHeard((before) => [...before, event.type]), []);
  return (
    <section>
      <freshet-provider client={client} time-zone="UTC" onfreshet-connection={(event) => setHeard((before) => [...before, event.detail.state])}>
        <freshet-badge
          source={source}
          label="List"
          onfreshet-snapshot={({ detail }) => {
            setRows(detail.data as Row[]);
            setKnown(detail.meta);
          }}
          onfreshet-state={note}
        ></freshet-badge>
        <freshet-age meta={known} clock="changed_at"></freshet-age>
        <freshet-refresh
          source={source}
          onfreshet-request={(event) => still && event.preventDefault()}
          onfreshet-progress={note}
          onfreshet-refreshed={(event) => setReceipt(event.detail)}
        >Read again</freshet-refresh>
        {receipt && <freshet-task id="flight" job={receipt} onfreshet-finished={note}></freshet-task>}
        <freshet-diff source={source} from={-1} onfreshet-diff={(event) => setChanges(event.detail)}></freshet-diff>
      </freshet-provider>
      <freshet-provider server={server} token-src="/work" onfreshet-finished={note}>
        <freshet-task id="task" job={job} label="Long"></freshet-task>
        <freshet-batch batch={batch} retry-failed></freshet-batch>
      </freshet-provider>
      <label><input type="checkbox" checked={still} onChange={() => setStill(!still)} /> hold</label>
      <p id="drawn">{rows.map((row) => row.name).join()}</p>
      <p id="events">{heard.join(" ")}</p>
      <p id="came">{receipt && `${receipt.outcome} +${receipt.counts?.added}`}</p>
      <p id="changes">{changes && `${changes.counts.added} added`}</p>
    </section>
  );
}

function App() {
  const [source, setSource] = useState("list");
  const [shown, setShown] = useState(true);
  return (
    <>
      <button onClick={() => setSource(source === "list" ? "other" : "list")}>Other source</button>
      <button onClick={() => setShown(!shown)}>Take away</button>
      {shown && (
        <>
          <Elements source={source} />
          <FreshetProvider client={client}><Data source={source} /></FreshetProvider>
          <FreshetProvider client={worker}><Work /></FreshetProvider>
        </>
      )}
    </>
  );
}

createRoot(document.querySelector("#app")!).render(<StrictMode><App /></StrictMode>);
