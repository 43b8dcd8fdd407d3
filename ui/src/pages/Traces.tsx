// TraceQL: the newest traces of the range that match.
import { Link } from "@tanstack/react-router";
import { search as find } from "../api/traces";
import { clock, duration } from "../format";
import { Num } from "../parts/Number";
import { QueryBox } from "../parts/QueryBox";
import { Failed, StateMessage } from "../parts/State";
import { useRange, useRanged } from "../range";

export function Traces() {
  const { q, search } = useRange();
  const query = q || "{}";
  const answer = useRanged("traces", query, (start, end, signal) => find(query, start, end + 1, signal));
  return (
    <>
      <h1>Traces</h1>
      <QueryBox label="TraceQL" q={query} hint='{ resource.service.name = "payments" && duration > 1s }' />
      {answer.isPending && <StateMessage kind="loading" title="Searching" />}
      {answer.error && <Failed error={answer.error} retry={() => void answer.refetch()} />}
      {answer.data?.length === 0 && (
        <StateMessage kind="empty" title="No trace matches in this range"><p>Widen the range, or ask for all of them: <code>{"{}"}</code></p></StateMessage>
      )}
      {answer.data && answer.data.length > 0 && (
        <div className="scroll" tabIndex={0} role="region" aria-label="Traces, newest first">
          <table>
            <thead>
              <tr>
                <th scope="col">Start, UTC</th>
                <th scope="col">Root</th>
                <th scope="col" className="right">Duration</th>
                <th scope="col" className="right wide">Spans</th>
                <th scope="col" className="right wide">Errors</th>
                <th scope="col" className="wide">Trace</th>
              </tr>
            </thead>
            <tbody>
              {answer.data.map((row) => {
                const stats = Object.values(row.serviceStats ?? {});
                return (
                  <tr key={row.traceID}>
                    <td><time>{clock(BigInt(row.startTimeUnixNano))}</time></td>
                    <td>
                      <Link to="/trace/$id" params={{ id: row.traceID }} search={search}>
                        {row.rootServiceName} {row.rootTraceName}
                      </Link>
                    </td>
                    <td className="right"><Num of={duration((row.durationMs ?? 0) / 1000)} /></td>
                    <td className="right num wide">{stats.reduce((sum, s) => sum + (s.spanCount ?? 0), 0)}</td>
                    <td className="right num wide">{stats.reduce((sum, s) => sum + (s.errorCount ?? 0), 0)}</td>
                    <td className="wide"><code>{row.traceID}</code></td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
