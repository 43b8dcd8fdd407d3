// Health as shape, word and colour together; never colour alone.
import type { Health } from "../format";

const WORDS: Record<Health, string> = { critical: "Critical", degraded: "Degraded", healthy: "Healthy", none: "No data" };

export function Shape({ health }: { health: Health }) {
  return (
    <svg className={`shape shape-${health}`} viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      {health === "critical" && <path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" />}
      {health === "degraded" && <path d="M8 1l7.5 13.5H.5z" />}
      {health === "healthy" && <circle cx="8" cy="8" r="5" />}
      {health === "none" && <circle cx="8" cy="8" r="4.5" fill="none" strokeWidth="2" />}
      {(health === "critical" || health === "degraded") && <path className="mark" d="M8 5v4.5M8 11v1.6" />}
    </svg>
  );
}

export function Status({ health }: { health: Health }) {
  return (
    <span className={`status status-${health}`}>
      <Shape health={health} /> <span className="word">{WORDS[health]}</span>
    </span>
  );
}
