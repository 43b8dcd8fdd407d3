// LogQL: the newest lines of the range.
import { useQuery } from "@tanstack/react-query";
import { logs } from "../api/logs";
import { LogRows } from "../parts/LogRows";
import { QueryBox } from "../parts/QueryBox";
import { Failed, StateMessage } from "../parts/State";
import { useRange } from "../range";

const LINES_MAX = 500;

export function Logs() {
  const { start, end, live, q } = useRange();
  const query = q || '{service_name=~".+"}';
  const answer = useQuery({
    queryKey: ["logs", query, end - start, live ? 0 : end],
    queryFn: ({ signal }) => logs(query, BigInt(Math.floor(start)) * 1_000_000_000n, BigInt(Math.ceil(end) + 1) * 1_000_000_000n, LINES_MAX, signal),
    refetchInterval: live ? 5_000 : false,
    placeholderData: (old) => old,
  });
  return (
    <>
      <h1>Logs</h1>
      <QueryBox label="LogQL" q={query} hint='{service_name="payments"} |= "error"' />
      {answer.isPending && <StateMessage kind="loading" title="Reading lines" />}
      {answer.error && <Failed error={answer.error} retry={() => void answer.refetch()} />}
      {answer.data?.length === 0 && (
        <StateMessage kind="empty" title="No line matches in this range"><p>Widen the range, or drop a filter.</p></StateMessage>
      )}
      {answer.data && answer.data.length > 0 && <LogRows lines={answer.data} max={LINES_MAX} />}
    </>
  );
}
