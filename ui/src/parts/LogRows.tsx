// Log lines, newest first; a line of a trace links to it. Long lines are cut until somebody asks for the rest.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Line } from "../api/logs";
import { clock } from "../format";

const LINE_CHARS_MAX = 400;

function Text({ line }: { line: string }) {
  const [whole, setWhole] = useState(false);
  if (whole || line.length <= LINE_CHARS_MAX) return <code>{line}</code>;
  return (
    <>
      <code>{line.slice(0, LINE_CHARS_MAX)}</code>{" "}
      <button onClick={() => setWhole(true)}>{line.length - LINE_CHARS_MAX} more characters</button>
    </>
  );
}

export function LogRows({ lines, max, traceId }: { lines: Line[]; max: number; traceId?: string }) {
  return (
    <>
      <ol className="logs" aria-label="Log lines, newest first">
        {lines.map((line, at) => (
          <li key={`${line.at}-${at}`} className={`level-${line.labels.detected_level ?? line.labels.level ?? "unknown"}`}>
            <time>{clock(line.at)}</time>
            <span className="quiet">{line.labels.service_name ?? ""}</span>
            <span className="text"><Text line={line.line} /></span>
            {line.labels.trace_id && line.labels.trace_id !== traceId && (
              <Link to="/trace/$id" params={{ id: line.labels.trace_id }} search={{}}>trace</Link>
            )}
          </li>
        ))}
      </ol>
      <p className="quiet">{lines.length} lines{lines.length >= max && `, the newest ${max} of the range`}, times in UTC.</p>
    </>
  );
}
