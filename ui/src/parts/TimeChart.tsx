// The one chart over time; nothing else imports uPlot. It comes with a sentence and a table twin for those who do not
// see it.
import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { aligned, type Series } from "../api/prometheus";

const COLOURS = ["--d-1", "--d-2", "--d-3", "--d-4", "--d-5", "--d-6"];
/** Lines drawn at most; the table twin lists them all. */
const LINES_MAX = 50;

type Props = { series: Series[]; start: number; end: number; step: number; title: string };

export function name(metric: Record<string, string>): string {
  const { __name__: base = "", ...labels } = metric;
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return pairs.length > 0 ? `${base}{${pairs.join(", ")}}` : base || "value";
}

export default function TimeChart({ series, start, end, step, title }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const drawn = series.slice(0, LINES_MAX);
  const data = useMemo(() => {
    const count = Math.floor((end - start) / step) + 1;
    const times = Array.from({ length: count }, (_, at) => start + at * step);
    return [times, ...drawn.map((line) => aligned(line.values, start, end, step))] as uPlot.AlignedData;
  }, [drawn, start, end, step]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (token: string) => style.getPropertyValue(token).trim();
    const axis = { stroke: colour("--ink-3"), grid: { stroke: colour("--grid"), width: 1 }, font: "11px system-ui" };
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: 320,
        legend: { show: false },
        scales: { y: { range: (_, min, max) => [Math.min(0, min), max <= 0 ? 1 : max * 1.05] } },
        axes: [axis, { ...axis, size: 64 }],
        series: [{}, ...drawn.map((line, at) => ({ label: name(line.metric), stroke: colour(COLOURS[at % 6]!), width: 1.5 }))],
      },
      data,
      element,
    );
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 320 }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [data, drawn]);

  return (
    <figure className="chart">
      <figcaption>
        {title}: {series.length} {series.length === 1 ? "series" : "series"}
        {series.length > LINES_MAX && `, the first ${LINES_MAX} drawn`}
      </figcaption>
      <div ref={box} aria-hidden="true" />
      <div className="scroll" tabIndex={0} role="region" aria-label="The same values as a table">
        <table>
          <thead>
            <tr>
              <th scope="col">Series</th>
              <th scope="col" className="right">Last value</th>
            </tr>
          </thead>
          <tbody>
            {series.map((line, at) => (
              <tr key={name(line.metric)}>
                <td>
                  <span className="swatch" style={{ background: at < LINES_MAX ? `var(${COLOURS[at % 6]})` : "none" }} />
                  <code>{name(line.metric)}</code>
                </td>
                <td className="right num">{line.values.at(-1)?.[1]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
