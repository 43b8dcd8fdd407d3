import { describe, expect, it } from "vitest";
import { bounds, validate } from "./search";

describe("the URL", () => {
  it.each([
    [{ minutes: "30" }, { minutes: 30 }],
    [{ q: "up" }, { q: "up" }],
    [{ minutes: "soon" }, { problem: "minutes=soon" }],
    [{ colour: "red" }, { problem: "colour=red" }],
    [{ from: 20, to: 10 }, { from: 20, to: 10, problem: "from is after to" }],
  ])("%o", (raw, search) => expect(validate(raw)).toEqual(search));

  it("relative ranges end now, absolute ones stay", () => {
    expect(bounds({ minutes: 1 }, 1003)).toEqual({ start: 940, end: 1000, live: true });
    expect(bounds({ from: 1, to: 2 }, 1003)).toEqual({ start: 1, end: 2, live: false });
  });
});
