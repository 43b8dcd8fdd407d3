// Traces as Tempo's API gives them: a search for summaries, OTLP JSON for one trace.
import { getJson } from "./http";

export type Summary = {
  traceID: string;
  rootServiceName?: string;
  rootTraceName?: string;
  startTimeUnixNano: string;
  durationMs?: number;
  serviceStats?: Record<string, { spanCount?: number; errorCount?: number }>;
};

export async function search(q: string, start: number, end: number, signal?: AbortSignal): Promise<Summary[]> {
  const params = { q, start: String(Math.floor(start)), end: String(Math.ceil(end)), limit: "50" };
  return (await getJson<{ traces?: Summary[] }>("/tempo/api/search", params, signal)).traces ?? [];
}

type AnyValue = { stringValue?: string; intValue?: string | number; doubleValue?: number; boolValue?: boolean };
type KeyValue = { key: string; value: AnyValue };
type OtlpSpan = {
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind?: string | number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: KeyValue[];
  status?: { code?: string | number; message?: string };
};
type ResourceSpans = {
  resource?: { attributes?: KeyValue[] };
  scopeSpans?: { spans?: OtlpSpan[] }[];
};

export type Span = {
  id: string;
  parent: string;
  name: string;
  kind: string;
  service: string;
  version: string;
  start: bigint;
  end: bigint;
  failed: boolean;
  message: string;
  attributes: [string, string][];
  depth: number;
};

export type Trace = { id: string; start: bigint; end: bigint; spans: Span[]; services: string[]; partial: string };

function shown(value: AnyValue): string {
  const known = value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue;
  return known === undefined ? JSON.stringify(value) : String(known);
}

/** Ids come as base64 or hex, as protobuf's JSON or OTLP's would have it. */
export function hexId(id: string, bytes: number): string {
  if (!id) return "";
  if (id.length === 2 * bytes && /^[0-9a-f]+$/i.test(id)) return id.toLowerCase();
  return Array.from(atob(id), (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

/**
 * Parents before their children, siblings by start. A span whose parent is missing stands at the top; so does the
 * earliest span of parents that go round in a circle.
 */
export function flatten(spans: Span[]): Span[] {
  const byStart = spans.toSorted((a, b) => Number(a.start - b.start));
  const known = new Set(spans.map((span) => span.id));
  const children = new Map<string, Span[]>();
  for (const span of byStart) children.set(span.parent, [...(children.get(span.parent) ?? []), span]);
  const rows: Span[] = [];
  const seen = new Set<string>();
  const tops = byStart.filter((span) => !known.has(span.parent));
  // What hangs below a top gets its row with it; what is left then hangs below itself.
  for (const top of [...tops, ...byStart]) {
    const stack = [{ span: top, depth: 0 }];
    while (stack.length > 0) {
      const { span, depth } = stack.pop()!;
      if (seen.has(span.id)) continue;
      seen.add(span.id);
      rows.push({ ...span, depth });
      for (const child of (children.get(span.id) ?? []).toReversed()) stack.push({ span: child, depth: depth + 1 });
    }
  }
  return rows;
}

export async function trace(id: string, signal?: AbortSignal): Promise<Trace> {
  type Answer = { trace?: { resourceSpans?: ResourceSpans[] }; status?: string; message?: string };
  const answer = await getJson<Answer>(`/tempo/api/v2/traces/${encodeURIComponent(id)}`, {}, signal);
  const spans = (answer.trace?.resourceSpans ?? []).flatMap((group) => {
    const resource = new Map((group.resource?.attributes ?? []).map(({ key, value }) => [key, shown(value)]));
    return (group.scopeSpans ?? []).flatMap((scope) => (scope.spans ?? []).map((span) => plain(span, resource)));
  });
  const rows = flatten(spans);
  const start = rows.reduce((min, span) => (span.start < min ? span.start : min), rows[0]?.start ?? 0n);
  const end = rows.reduce((max, span) => (span.end > max ? span.end : max), start);
  const services = [...new Set(rows.map((span) => span.service))];
  const partial = answer.status === "PARTIAL" ? (answer.message ?? "some spans are missing") : "";
  return { id, start, end, spans: rows, services, partial };
}

function plain(span: OtlpSpan, resource: Map<string, string>): Span {
  const code = span.status?.code;
  return {
    id: hexId(span.spanId, 8),
    parent: hexId(span.parentSpanId ?? "", 8),
    name: span.name,
    kind: String(span.kind ?? "").replace("SPAN_KIND_", "").toLowerCase(),
    service: resource.get("service.name") ?? "unknown_service",
    version: resource.get("service.version") ?? "",
    start: BigInt(span.startTimeUnixNano),
    end: BigInt(span.endTimeUnixNano),
    failed: code === 2 || code === "STATUS_CODE_ERROR",
    message: span.status?.message ?? "",
    attributes: [
      ...(span.attributes ?? []).map(({ key, value }): [string, string] => [key, shown(value)]),
      ...[...resource].filter(([key]) => key !== "service.name"),
    ],
    depth: 0,
  };
}
