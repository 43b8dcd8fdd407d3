// What the URL carries. Times are absolute seconds once a link is made; `minutes` is the relative form of a live view.
// An unknown or malformed value is reported on the page, not silently dropped.

export type Time = { minutes?: number; from?: number; to?: number };
export type Search = Time & { q?: string; problem?: string };

const MINUTES_MAX = 60 * 24 * 30;

export function validate(raw: Record<string, unknown>): Search {
  const search: Search = {};
  const problems: string[] = [];
  for (const [key, value] of Object.entries(raw)) {
    if (key === "q") search.q = String(value);
    else if (key === "minutes" || key === "from" || key === "to") {
      const number = Number(value);
      if (Number.isFinite(number) && number > 0 && (key !== "minutes" || number <= MINUTES_MAX)) search[key] = number;
      else problems.push(`${key}=${String(value)}`);
    } else if (key !== "problem") problems.push(`${key}=${String(value)}`);
  }
  if ((search.from ?? 0) > (search.to ?? Infinity)) problems.push("from is after to");
  if (problems.length > 0) search.problem = problems.join(", ");
  return search;
}

/** The range in seconds; `now` is rounded so that a re-render asks the same question. */
export function bounds(time: Time, now: number): { start: number; end: number; live: boolean } {
  if (time.from && time.to && time.from <= time.to) return { start: time.from, end: time.to, live: false };
  const end = Math.floor(now / 5) * 5;
  return { start: end - (time.minutes ?? 15) * 60, end, live: true };
}
