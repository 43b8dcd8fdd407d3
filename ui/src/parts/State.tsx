// The five states of anything that is loaded, drawn five different ways.
import type { ReactNode } from "react";

type Kind = "loading" | "failed" | "empty" | "nodata" | "partial";

export function StateMessage({ kind, title, children }: { kind: Kind; title: string; children?: ReactNode }) {
  return (
    <div className={`state state-${kind}`} role={kind === "failed" ? "alert" : "status"}>
      <strong>{title}</strong>
      {children && <div>{children}</div>}
    </div>
  );
}

export function Failed({ error, retry }: { error: Error; retry: () => void }) {
  return (
    <StateMessage kind="failed" title="This could not be loaded">
      <p>{error.message}</p>
      <button onClick={retry}>Try again</button>
    </StateMessage>
  );
}
