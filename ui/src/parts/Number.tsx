// A number with a quieter unit.
import type { Quantity } from "../format";

export function Num({ of, strong }: { of: Quantity; strong?: boolean }) {
  return (
    <span className={strong ? "num strong" : "num"}>
      {of.value}
      {of.unit && <span className="unit">&#8239;{of.unit}</span>}
    </span>
  );
}
