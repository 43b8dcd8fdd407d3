import { describe, expect, it } from "vitest";
import { clock, duration, health, percent, rate } from "./format";

const text = ({ value, unit }: { value: string; unit: string }) => `${value} ${unit}`.trim();

describe("numbers", () => {
  it.each([
    [0.0000123, "12.3 µs"],
    [0.2124, "212 ms"],
    [1.4849, "1.48 s"],
    [90, "1.5 min"],
    [0, "0 ms"],
    [Number.NaN, "–"],
    [null, "–"],
  ])("duration %s", (seconds, shown) => expect(text(duration(seconds))).toBe(shown));

  it.each([
    [18.234, "18.2 /s"],
    [12345, "12300 /s"],
    [undefined, "–"],
  ])("rate %s", (value, shown) => expect(text(rate(value))).toBe(shown));

  it("percent", () => expect(text(percent(0.01922))).toBe("1.92 %"));
  it("clock", () => expect(clock(1_700_000_000_123_456_789n)).toBe("22:13:20.123"));
});

describe("health", () => {
  it.each([
    [0, 0, "none"],
    [10, 0.05, "critical"],
    [10, 0.02, "degraded"],
    [10, 0.001, "healthy"],
    [10, undefined, "healthy"],
  ])("%s requests/s, %s errors", (requests, errors, expected) => expect(health(requests, errors)).toBe(expected));
});
