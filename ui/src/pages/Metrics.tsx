// PromQL over time.
import { lazy, Suspense } from "react";
import { range, SERVICE_QUERIES } from "../api/prometheus";
import { QueryBox } from "../parts/QueryBox";
import { Failed, StateMessage } from "../parts/State";
import { useRange, useRanged } from "../range";

// Points of a line; more than a screen shows.
const POINTS = 240;

const TimeChart = lazy(() => import("../parts/TimeChart"));

export function Metrics() {
  const { q } = useRange();
  const query = q || SERVICE_QUERIES.rate;
  const answer = useRanged("range", query, async (start, end, signal) => {
    const step = Math.max(1, Math.round((end - start) / POINTS));
    return { ...(await range(query, start, end, step, signal)), start, end, step };
  });
  return (
    <>
      <h1>Metrics</h1>
      <QueryBox label="PromQL" q={query} hint="rate(http_requests_total[5m])" />
      {answer.isPending && <StateMessage kind="loading" title="Reading samples" />}
      {answer.error && <Failed error={answer.error} retry={() => void answer.refetch()} />}
      {answer.data?.warnings.map((warning) => <StateMessage key={warning} kind="partial" title={warning} />)}
      {answer.data?.series.length === 0 && (
        <StateMessage kind="empty" title="No series answer this query in this range">
          <p>Widen the range, or look which metrics there are: <code>{'count by (__name__) ({__name__=~".+"})'}</code></p>
        </StateMessage>
      )}
      {answer.data && answer.data.series.length > 0 && (
        <Suspense fallback={<StateMessage kind="loading" title="Drawing" />}>
          <TimeChart series={answer.data.series} start={answer.data.start} end={answer.data.end} step={answer.data.step} title={query} />
        </Suspense>
      )}
    </>
  );
}
