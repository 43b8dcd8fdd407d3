// Every service, worst first, with its rate, errors and latency.
import { Link } from "@tanstack/react-router";
import { SERVICE_QUERIES, services } from "../api/prometheus";
import { duration, health, percent, rate } from "../format";
import { Num } from "../parts/Number";
import { Sparkline } from "../parts/Sparkline";
import { Failed, StateMessage } from "../parts/State";
import { Shape, Status } from "../parts/Status";
import { useRange, useRanged } from "../range";

export function Services() {
  const { search } = useRange();
  const answer = useRanged("services", "", services);
  const rows = answer.data ?? [];
  const hurt = rows.filter((row) => ["critical", "degraded"].includes(health(row.rate, row.errors)));
  const worst = hurt.length === 0 ? "healthy" : health(hurt[0]!.rate, hurt[0]!.errors);
  if (answer.isPending) return <StateMessage kind="loading" title="Counting requests" />;
  if (answer.error && rows.length === 0) return <Failed error={answer.error} retry={() => void answer.refetch()} />;
  if (rows.length === 0) {
    return (
      <StateMessage kind="nodata" title="No service has sent spans yet">
        <p>Point an OpenTelemetry SDK at this process:</p>
        <pre>OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 OTEL_SERVICE_NAME=my-service ./my-service</pre>
      </StateMessage>
    );
  }
  const verdict = hurt.length === 0 ? `All ${rows.length} services answer their callers.` : `${hurt.length} of ${rows.length} services fail calls.`;
  return (
    <>
      <h1 className="verdict"><Shape health={worst} /> {verdict}</h1>
      {answer.error && <StateMessage kind="partial" title={`These numbers are old: ${answer.error.message}`} />}
      <div className="scroll" tabIndex={0} role="region" aria-label="Services, worst first">
        <table>
          <thead>
            <tr>
              <th scope="col"><span className="word">Health</span></th>
              <th scope="col">Service</th>
              <th scope="col" className="right">Rate</th>
              <th scope="col" className="right">Errors</th>
              <th scope="col" className="right wide">p50</th>
              <th scope="col" className="right">p95</th>
              <th scope="col" className="wide">p95 over the range</th>
              <th scope="col" className="wide">Version</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.service}>
                <td><Status health={health(row.rate, row.errors)} /></td>
                <td>
                  <Link to="/traces" search={{ ...search, q: `{resource.service.name="${row.service}"}` }}>{row.service}</Link>
                </td>
                <td className="right"><Num of={rate(row.rate)} /></td>
                <td className={`right ink-${health(row.rate, row.errors)}`}><Num of={percent(row.errors)} strong={row.errors >= 0.01} /></td>
                <td className="right wide"><Num of={duration(row.p50)} /></td>
                <td className="right"><Num of={duration(row.p95)} /></td>
                <td className="wide"><Sparkline values={row.trend} label={`p95 of ${row.service}`} /></td>
                <td className="wide">{row.versions.join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="quiet">
        Rate, errors and latency are of the last 5 minutes, over calls that services answer.{" "}
        <Link to="/explore/metrics" search={{ ...search, q: SERVICE_QUERIES.rate }}>Rate</Link>,{" "}
        <Link to="/explore/metrics" search={{ ...search, q: SERVICE_QUERIES.errors }}>errors</Link> and{" "}
        <Link to="/explore/metrics" search={{ ...search, q: SERVICE_QUERIES.p95 }}>p95</Link> as queries.
      </p>
    </>
  );
}
