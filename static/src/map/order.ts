/** The order of style layers: what lies on what, and what a person moved up or down in the list. */
import type { Group } from '../api/types';

export interface Part {
  /** Id of the style layer. */
  id: string;
  /** The layer of the list that it draws, if any. */
  layer: string | null;
  /** Which part of that layer, e.g. `areas` or `points`. */
  part: string;
  /** Is it writing? */
  symbol: boolean;
}

const GROUPS: Group[] = ['base', 'reference', 'operations'];

/**
 * From bottom to top: the base map's ground, areas of blurred records, the base map's names, points, the counts of
 * areas, clusters. An area is wide and must hide neither a name nor a point; a cluster is small and keeps its figure.
 */
function band(part: Part, group: Group | undefined): number {
  if (!part.layer || !group) return 0;
  if (part.part === 'areas' || part.part === 'area-lines') return 2;
  if (group === 'base') return part.symbol ? 3 : 1;
  if (part.part === 'area-counts') return 5;
  return part.part === 'clusters' || part.part === 'cluster-count' ? 6 : 4;
}

/**
 * Style layers from bottom to top. Within a band the groups keep their order, the layers of a group follow `order`
 * (layer ids, top first), and the parts of one layer stay as the style has them.
 */
export function arrange(
  parts: readonly Part[],
  order: readonly string[],
  groupOf: (layer: string) => Group | undefined,
): string[] {
  const keys = parts.map((part, index) => {
    const group = part.layer ? groupOf(part.layer) : undefined;
    const inBand = band(part, group);
    const rank = inBand === 0 ? [0, 0] : [GROUPS.indexOf(group as Group), -order.indexOf(part.layer as string)];
    return { id: part.id, key: [inBand, ...rank, index] };
  });
  keys.sort((a, b) => {
    const at = a.key.findIndex((value, i) => value !== b.key[i]);
    return (a.key[at] ?? 0) - (b.key[at] ?? 0);
  });
  return keys.map(({ id }) => id);
}
