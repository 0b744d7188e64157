/** A layer's opacity, laid over what the style says. */

/** Paint properties that carry opacity, by kind of style layer. */
export const OPACITY: Record<string, readonly string[]> = {
  fill: ['fill-opacity'],
  line: ['line-opacity'],
  circle: ['circle-opacity', 'circle-stroke-opacity'],
  symbol: ['text-opacity', 'icon-opacity'],
};

/** An opacity of a style (a number or an expression) times a factor of 0 to 1. */
export function scaleOpacity(value: unknown, factor: number): unknown {
  if (factor === 1) return value;
  if (value === undefined || value === null) return factor;
  if (typeof value === 'number') return value * factor;
  if (!Array.isArray(value)) return factor;
  // a zoom curve must stay the outermost expression: scale its outputs
  const first = value[0] === 'interpolate' ? 4 : value[0] === 'step' ? 2 : null;
  if (first !== null) {
    return value.map((part: unknown, i) => (i >= first && (i - first) % 2 === 0 ? scaleOpacity(part, factor) : part));
  }
  return ['*', value, factor];
}
