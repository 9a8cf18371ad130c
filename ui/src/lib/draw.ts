import type { Slot } from './throughput';

/** Below this many bytes per second the chart does not grow, or a ping would look like a download. */
const FLOOR = 20_000;

/** Room above and below, in CSS pixels. */
const MARGIN = 6;

/** Where the line between received and sent lies, as a share of the height: each gets room by what it carries. */
export function baseline(series: (Slot | null)[]): number {
  const [received, sent] = peaks(series);
  return received + sent === 0 ? 0.65 : Math.min(0.8, Math.max(0.35, received / (received + sent)));
}

/** Paints the last two minutes; `width` in CSS pixels. */
export function draw(canvas: HTMLCanvasElement, width: number, series: (Slot | null)[], peak: number): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const height = canvas.clientHeight;
  const scale = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  context.setTransform(scale, 0, 0, scale, 0, 0);

  const style = getComputedStyle(canvas);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const usable = height - 2 * MARGIN;
  const zero = MARGIN + usable * baseline(series);
  // One scale for both, or a little sent would look like a lot received.
  const [above, below] = peaks(series);
  const most = Math.max(FLOOR, peak);
  const unit = Math.min((zero - MARGIN) / Math.max(above, FLOOR), (height - MARGIN - zero) / Math.max(below, 1), usable / most);
  const step = width / Math.max(1, series.length - 1);
  const points = (kind: keyof Slot): [number, number][][] => {
    const runs: [number, number][][] = [];
    let run: [number, number][] | null = null;
    series.forEach((slot, index) => {
      if (!slot) {
        run = null;
        return;
      }
      if (!run) runs.push((run = []));
      const size = slot[kind] * unit;
      run.push([index * step, kind === 'in' ? zero - size : zero + size]);
    });
    return runs;
  };

  context.lineJoin = 'round';
  for (const kind of ['out', 'in'] as const) {
    context.strokeStyle = context.fillStyle = colour(`--chart-${kind}`);
    for (const run of points(kind)) paint(context, run, zero);
  }
  context.globalAlpha = 0.5;
  context.fillStyle = colour('--chart-line');
  context.fillRect(0, Math.round(zero) - 0.5, width, 1);
  context.globalAlpha = 1;
}

function peaks(series: (Slot | null)[]): [received: number, sent: number] {
  let [received, sent] = [0, 0];
  for (const slot of series) {
    received = Math.max(received, slot?.in ?? 0);
    sent = Math.max(sent, slot?.out ?? 0);
  }
  return [received, sent];
}

function paint(context: CanvasRenderingContext2D, run: [number, number][], zero: number): void {
  const [first, last] = [run[0], run.at(-1)];
  if (!first || !last) return;
  context.beginPath();
  context.moveTo(first[0], zero);
  for (const [x, y] of run) context.lineTo(x, y);
  context.lineTo(last[0], zero);
  context.globalAlpha = 0.22;
  context.fill();
  context.globalAlpha = 1;
  context.beginPath();
  context.lineWidth = 1.5;
  context.moveTo(...first);
  for (const [x, y] of run) context.lineTo(x, y);
  context.stroke();
}
