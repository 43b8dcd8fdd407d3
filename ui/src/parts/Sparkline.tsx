// A small line from zero; a gap in the data is a gap in the line.

export function Sparkline({ values, label }: { values: (number | null)[]; label: string }) {
  const max = Math.max(...values.map((value) => value ?? 0)) || 1;
  const width = 112;
  const height = 24;
  let path = "";
  let pen = false;
  values.forEach((value, at) => {
    if (value === null) {
      pen = false;
      return;
    }
    const x = ((at / Math.max(1, values.length - 1)) * width).toFixed(1);
    const y = (height - 2 - (value / max) * (height - 4)).toFixed(1);
    path += `${pen ? "L" : "M"}${x} ${y}`;
    pen = true;
  });
  return (
    <svg className="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path d={path} />
    </svg>
  );
}
