// A trace as rows: who, what, when within the trace, how long. Rows are windowed, so that a large trace stays light.
import { useRef, useState } from "react";
import type { Span, Trace } from "../api/traces";
import { duration } from "../format";
import { Num } from "./Number";

const ROW_PX = 28;
const VIEW_PX = 616;
const COLOURS = ["--d-6", "--d-1", "--d-3", "--d-2", "--d-4", "--d-5"];

export const seconds = (ns: bigint) => Number(ns) / 1e9;

export function Waterfall({ trace, current, choose }: { trace: Trace; current?: string; choose: (span: Span) => void }) {
  const [top, setTop] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const total = Math.max(1, Number(trace.end - trace.start));
  const first = Math.max(0, Math.floor(top / ROW_PX) - 10);
  const rows = trace.spans.slice(first, first + Math.ceil(VIEW_PX / ROW_PX) + 20);
  const move = (by: number) => {
    const at = trace.spans.findIndex((span) => span.id === current);
    const next = trace.spans[Math.min(trace.spans.length - 1, Math.max(0, at + by))];
    if (next) choose(next);
  };
  return (
    <div
      ref={list}
      className="waterfall"
      style={{ maxHeight: VIEW_PX }}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={(event) => {
        if (event.key === "ArrowDown" || event.key === "j") move(1);
        else if (event.key === "ArrowUp" || event.key === "k") move(-1);
        else return;
        event.preventDefault();
      }}
      role="listbox"
      aria-label="Spans of the trace, in order"
      aria-activedescendant={current ? `span-${current}` : undefined}
      tabIndex={0}
    >
      <div style={{ height: trace.spans.length * ROW_PX, position: "relative" }} role="presentation">
        {rows.map((span, at) => {
          const left = (Number(span.start - trace.start) / total) * 100;
          const width = Math.max(0.2, (Number(span.end - span.start) / total) * 100);
          const colour = COLOURS[trace.services.indexOf(span.service) % COLOURS.length];
          return (
            <div
              key={span.id}
              id={`span-${span.id}`}
              role="option"
              aria-selected={span.id === current}
              className={span.id === current ? "wrow current" : "wrow"}
              style={{ top: (first + at) * ROW_PX, height: ROW_PX }}
              onClick={() => choose(span)}
            >
              <span className="who" style={{ paddingLeft: Math.min(span.depth, 16) * 12 }}>
                <i style={{ background: `var(${colour})` }} />
                <b>{span.service}</b> {span.name}
                {span.failed && <em className="failed"> error</em>}
              </span>
              <span className="when">
                <span className="wbar" style={{ left: `${left}%`, width: `${width}%`, background: `var(${colour})` }} />
                <span className="took" style={left > 80 ? { right: `${100 - left}%` } : { left: `${Math.min(92, left + width)}%` }}>
                  <Num of={duration(seconds(span.end - span.start))} />
                </span>
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
