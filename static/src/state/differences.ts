/** What one audience's release holds that another's does not: by rule, never by record. */
import type { LayerEntry } from '../api/types';

export interface Difference {
  layer: string;
  title: string;
  /** The layer exists for one of the two only. */
  only: 'first' | 'second' | null;
  /** Labels of fields that exist for this side only. */
  first: string[];
  second: string[];
}

export function differences(first: readonly LayerEntry[], second: readonly LayerEntry[]): Difference[] {
  const titles = new Map([...second, ...first].map((layer) => [layer.id, layer.title]));
  const found: Difference[] = [];
  for (const [id, title] of titles) {
    const [a, b] = [first.find((layer) => layer.id === id), second.find((layer) => layer.id === id)];
    if (!a || !b) {
      found.push({ layer: id, title, only: a ? 'first' : 'second', first: [], second: [] });
      continue;
    }
    const missing = (from: LayerEntry, to: LayerEntry) =>
      from.fields.filter((field) => !to.fields.some((other) => other.name === field.name)).map((field) => field.label);
    const item = { layer: id, title, only: null, first: missing(a, b), second: missing(b, a) };
    if (item.first.length || item.second.length) found.push(item);
  }
  return found;
}
