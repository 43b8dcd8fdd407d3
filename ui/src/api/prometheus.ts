// PromQL answers, and the services table computed from span metrics with it. The queries are the evidence: each page
// shows them.
import { getJson } from "./http";

export type Series = { metric: Record<string, string>; values: [number, string][] };
export type Sample = { metric: Record<string, string>; value: [number, string] };
type Envelope<T> = { data: { resultType: string; result: T }; warnings?: string[] };

const BASE = "/prometheus/api/v1";

export async function instant(query: string, at: number, signal?: AbortSignal): Promise<Sample[]> {
  const answer = await getJson<Envelope<Sample[]>>(`${BASE}/query`, { query, time: String(at) }, signal);
  return answer.data.resultType === "vector" ? answer.data.result : [];
}

export async function range(query: string, start: number, end: number, step: number, signal?: AbortSignal) {
  const params = { query, start: String(start), end: String(end), step: String(step) };
  const answer = await getJson<Envelope<Series[]>>(`${BASE}/query_range`, params, signal);
  return { series: answer.data.result, warnings: answer.warnings ?? [] };
}

export const CALLS = 'traces_spanmetrics_calls_total{span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"}';
const FAILED = 'traces_spanmetrics_calls_total{span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER",status_code="STATUS_CODE_ERROR"}';
const LATENCY = 'traces_spanmetrics_latency_bucket{span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"}';

export const SERVICE_QUERIES = {
  rate: `sum by (service) (rate(${CALLS}[5m]))`,
  errors: `sum by (service) (rate(${FAILED}[5m])) / sum by (service) (rate(${CALLS}[5m]))`,
  p50: `histogram_quantile(0.5, sum by (service, le) (rate(${LATENCY}[5m])))`,
  p95: `histogram_quantile(0.95, sum by (service, le) (rate(${LATENCY}[5m])))`,
  versions: `sum by (service, service_version) (rate(${CALLS}[5m])) > 0`,
};

export type ServiceRow = {
  service: string;
  rate: number;
  errors: number;
  p50: number;
  p95: number;
  versions: string[];
  trend: (number | null)[];
};

/** Every service with its rate, error ratio and latency over the last five minutes, and p95 over the range. */
export async function services(start: number, end: number, signal?: AbortSignal): Promise<ServiceRow[]> {
  const step = Math.max(5, Math.round((end - start) / 60));
  const [rates, errors, p50, p95, versions, trend] = await Promise.all([
    instant(SERVICE_QUERIES.rate, end, signal),
    instant(SERVICE_QUERIES.errors, end, signal),
    instant(SERVICE_QUERIES.p50, end, signal),
    instant(SERVICE_QUERIES.p95, end, signal),
    instant(SERVICE_QUERIES.versions, end, signal),
    range(SERVICE_QUERIES.p95, start, end, step, signal),
  ]);
  const of = (samples: Sample[], service: string) => Number(samples.find((s) => s.metric.service === service)?.value[1] ?? 0);
  const rows = rates.map(({ metric, value }) => {
    const service = metric.service ?? "";
    const points = trend.series.find((series) => series.metric.service === service)?.values ?? [];
    return {
      service,
      rate: Number(value[1]),
      errors: of(errors, service),
      p50: of(p50, service),
      p95: of(p95, service),
      versions: versions.filter((v) => v.metric.service === service).map((v) => v.metric.service_version ?? ""),
      trend: aligned(points, start, end, step),
    };
  });
  return rows.sort((a, b) => b.errors - a.errors || b.p95 - a.p95 || a.service.localeCompare(b.service));
}

/** One value per step, null where there is none: a gap is a gap. */
export function aligned(points: [number, string][], start: number, end: number, step: number): (number | null)[] {
  const byTime = new Map(points.map(([at, value]) => [Math.round((at - start) / step), Number(value)]));
  const count = Math.floor((end - start) / step) + 1;
  return Array.from({ length: count }, (_, at) => {
    const value = byTime.get(at);
    return value === undefined || Number.isNaN(value) ? null : value;
  });
}
