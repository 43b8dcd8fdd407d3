// One trace: its waterfall, the chosen span's attributes, and the log lines that carry its id.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { logs, ofTrace } from "../api/logs";
import { type Span, trace } from "../api/traces";
import { clock, duration } from "../format";
import { LogRows } from "../parts/LogRows";
import { Num } from "../parts/Number";
import { Failed, StateMessage } from "../parts/State";
import { seconds, Waterfall } from "../parts/Waterfall";

const LINES_MAX = 200;
const MARGIN_NS = 60_000_000_000n;

export function TracePage() {
  const { id = "" } = useParams({ strict: false });
  const [span, setSpan] = useState<Span>();
  const answer = useQuery({ queryKey: ["trace", id], queryFn: ({ signal }) => trace(id, signal) });
  const found = answer.data;
  const lines = useQuery({
    queryKey: ["trace-logs", id],
    enabled: found !== undefined,
    queryFn: ({ signal }) => logs(ofTrace(id), found!.start - MARGIN_NS, found!.end + MARGIN_NS, LINES_MAX, signal),
  });
  if (answer.isPending) return <StateMessage kind="loading" title="Reading the trace" />;
  if (answer.error) return <Failed error={answer.error} retry={() => void answer.refetch()} />;
  if (!found || found.spans.length === 0) return <StateMessage kind="empty" title="This trace has no spans" />;
  const root = found.spans[0]!;
  const failed = found.spans.filter((row) => row.failed).length;
  return (
    <>
      <h1>{root.service} {root.name}</h1>
      <p className="facts">
        <code>{id}</code> <time>{clock(found.start)} UTC</time> <Num of={duration(seconds(found.end - found.start))} strong />{" "}
        <span>{found.spans.length} spans</span> <span>{found.services.length} services</span>{" "}
        <span className={failed ? "ink-critical" : ""}>{failed} failed</span>
      </p>
      {found.partial && <StateMessage kind="partial" title={found.partial} />}
      <div className="split">
        <Waterfall trace={found} current={span?.id} choose={setSpan} />
        {span && (
          <aside aria-label="Chosen span">
            <h2>{span.service} {span.name}</h2>
            {span.failed && <p className="ink-critical">Failed{span.message && `: ${span.message}`}</p>}
            <dl>
              <dt>Duration</dt>
              <dd><Num of={duration(seconds(span.end - span.start))} strong /></dd>
              {span.attributes.map(([key, value]) => [<dt key={`${key}-k`}>{key}</dt>, <dd key={key}><code>{value}</code></dd>])}
            </dl>
          </aside>
        )}
      </div>
      <h2>Logs of this trace</h2>
      {lines.isPending && <StateMessage kind="loading" title="Reading lines" />}
      {lines.error && <Failed error={lines.error} retry={() => void lines.refetch()} />}
      {lines.data?.length === 0 && <StateMessage kind="empty" title="No log line carries this trace's id" />}
      {lines.data && lines.data.length > 0 && <LogRows lines={lines.data} max={LINES_MAX} traceId={id} />}
      <p className="quiet"><Link to="/logs" search={{ q: ofTrace(id) }}>These lines as a query</Link></p>
    </>
  );
}
