// Log lines as Loki's API gives them.
import { getJson } from "./http";

export type Line = { at: bigint; line: string; labels: Record<string, string> };

export async function logs(query: string, start: bigint, end: bigint, limit: number, signal?: AbortSignal): Promise<Line[]> {
  type Answer = { data: { resultType: string; result: { stream: Record<string, string>; values: [string, string][] }[] } };
  const params = { query, start: String(start), end: String(end), limit: String(limit), direction: "backward" };
  const answer = await getJson<Answer>("/loki/loki/api/v1/query_range", params, signal);
  if (answer.data.resultType !== "streams") throw new Error("this query makes numbers: open it under Metrics");
  const lines = answer.data.result.flatMap(({ stream, values }) =>
    values.map(([at, line]): Line => ({ at: BigInt(at), line, labels: stream })),
  );
  return lines.sort((a, b) => Number(b.at - a.at));
}

/** The query that finds a trace's lines in every stream. */
export function ofTrace(traceId: string): string {
  return `{service_name=~".+"} | trace_id="${traceId}"`;
}
