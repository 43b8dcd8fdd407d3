import { describe, expect, it } from "vitest";
import { flatten, hexId, type Span } from "./traces";

const span = (id: string, parent: string, start: number): Span => ({
  id, parent, name: id, kind: "", service: "s", version: "", start: BigInt(start), end: BigInt(start + 1), failed: false, message: "", attributes: [], depth: 0,
});

describe("a trace's rows", () => {
  it.each([
    ["children follow their parent by start", [span("c", "a", 3), span("b", "a", 2), span("a", "", 1)], ["a0", "b1", "c1"]],
    ["a span whose parent is missing is shown", [span("x", "gone", 5)], ["x0"]],
    ["a circle is cut open at its earliest span", [span("a", "b", 2), span("b", "a", 1), span("r", "", 3)], ["r0", "b0", "a1"]],
    ["a span that names itself is shown", [span("a", "", 0), span("b", "b", 1)], ["a0", "b0"]],
  ])("%s", (_, spans, rows) => expect(flatten(spans).map((row) => row.id + row.depth)).toEqual(rows));
});

it("ids come in hex or base64", () => {
  expect(hexId("AAAAAAAAAAE=", 8)).toBe("0000000000000001");
  expect(hexId("00000000000000AB", 8)).toBe("00000000000000ab");
  expect(hexId("", 8)).toBe("");
});
