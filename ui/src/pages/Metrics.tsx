// PromQL over time.
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { range, SERVICE_QUERIES } from "../api/prometheus";
import { QueryBox } from "../parts/QueryBox";
import { Failed, StateMessage } from "../parts/State";
import { useRange } from "../range";

const TimeChart = lazy(() => import("../parts/TimeChart"));

export function Metrics() {
  const { start, end, live, q } = useRange();
  const query = q || SERVICE_QUERIES.rate;
  const step = Math.max(1, Math.round((end - start) / 240));
  const answer = useQuery({
    queryKey: ["range", query, end - start, live ? 0 : end],
    queryFn: async ({ signal }) => ({ ...(await range(query, start, end, step, signal)), start, end }),
    refetchInterval: live ? 5_000 : false,
    placeholderData: (old) => old,
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
          <TimeChart series={answer.data.series} start={answer.data.start} end={answer.data.end} step={step} title={query} />
        </Suspense>
      )}
    </>
  );
}
