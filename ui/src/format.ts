// Numbers and times as the screens show them: three significant digits, a unit, always the same for the same value.

export type Quantity = { value: string; unit: string };

function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** A duration given in seconds. */
export function duration(seconds: number | null | undefined): Quantity {
  if (seconds == null || !Number.isFinite(seconds)) return { value: "–", unit: "" };
  if (seconds >= 60) return { value: digits(seconds / 60), unit: "min" };
  if (seconds >= 1) return { value: digits(seconds), unit: "s" };
  if (seconds >= 0.001 || seconds === 0) return { value: digits(seconds * 1e3), unit: "ms" };
  return { value: digits(seconds * 1e6), unit: "µs" };
}

/** A rate given per second. */
export function rate(perSecond: number | null | undefined): Quantity {
  if (perSecond == null || !Number.isFinite(perSecond)) return { value: "–", unit: "" };
  return { value: digits(perSecond), unit: "/s" };
}

/** A ratio given as 0..1. */
export function percent(ratio: number | null | undefined): Quantity {
  if (ratio == null || !Number.isFinite(ratio)) return { value: "–", unit: "" };
  return { value: digits(ratio * 100), unit: "%" };
}

/** Time of day in UTC with milliseconds, from nanoseconds. */
export function clock(ns: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString().slice(11, 23);
}

export type Health = "critical" | "degraded" | "healthy" | "none";

/** Thresholds of the services table: error ratio alone; latency has no limit until an objective sets one. */
export function health(requests: number | undefined, errors: number | undefined): Health {
  if (!requests) return "none";
  if ((errors ?? 0) >= 0.05) return "critical";
  return (errors ?? 0) >= 0.01 ? "degraded" : "healthy";
}
