/** The order of style layers when a person moves a layer of the list up or down. */

export interface Part {
  /** Id of the style layer. */
  id: string;
  /** The layer of the list that it draws, if any. */
  layer: string | null;
}

/**
 * Style layers from bottom to top. Each group's parts keep the places that the style gave the group, so that the base
 * stays below the operations; within them they follow `order` (layer ids of all groups, top first), and the parts of
 * one layer keep their own order.
 */
export function arrange(parts: readonly Part[], order: readonly string[], groupOf: (layer: string) => string): string[] {
  const result: (string | undefined)[] = parts.map((part) => (part.layer ? undefined : part.id));
  const groups = new Map<string, number[]>();
  parts.forEach((part, index) => {
    if (!part.layer) return;
    const group = groupOf(part.layer);
    groups.set(group, [...(groups.get(group) ?? []), index]);
  });
  const rank = (layer: string | null) => -order.indexOf(layer ?? '');
  for (const slots of groups.values()) {
    const sorted = [...slots].sort((a, b) => rank(parts[a]?.layer ?? null) - rank(parts[b]?.layer ?? null) || a - b);
    slots.forEach((slot, i) => (result[slot] = parts[sorted[i] as number]?.id));
  }
  return result as string[];
}
