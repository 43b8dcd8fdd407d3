// LogQL: the newest lines of the range.
import { logs } from "../api/logs";
import { LogRows } from "../parts/LogRows";
import { QueryBox } from "../parts/QueryBox";
import { Failed, StateMessage } from "../parts/State";
import { useRange, useRanged } from "../range";

const LINES_MAX = 500;
const nanos = (seconds: number) => BigInt(seconds) * 1_000_000_000n;

export function Logs() {
  const { q } = useRange();
  const query = q || '{service_name=~".+"}';
  const answer = useRanged("logs", query, (start, end, signal) => logs(query, nanos(Math.floor(start)), nanos(Math.ceil(end) + 1), LINES_MAX, signal));
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
