/** The filters of the moment. The map, the list and the counts all read them here. */
import type { Chosen, TimeWindow } from '../api/query';
import type { LayerEntry } from '../api/types';

class Filters {
  time = $state.raw<TimeWindow | null>(null);
  /** Chosen codes by layer and field; absent means all. */
  chosen = $state<Record<string, Chosen>>({});

  timeFor(layer: LayerEntry): TimeWindow | null {
    return layer.time ? this.time : null;
  }

  /** Only fields that this audience's layer has: a filter made as another audience must not ask for more. */
  chosenFor(layer: LayerEntry): Chosen {
    const chosen = this.chosen[layer.id] ?? {};
    const names = new Set(layer.fields.map((field) => field.name));
    return Object.fromEntries(Object.entries(chosen).filter(([field, codes]) => names.has(field) && codes.length > 0));
  }

  isChosen(layer: string, field: string, code: string): boolean {
    const codes = this.chosen[layer]?.[field];
    return !codes?.length || codes.includes(code);
  }

  /** Switch one code. From "all" the first switch shows this code alone; switching the last one off means all again. */
  toggle(layer: string, field: string, code: string, all: readonly string[]): void {
    const codes = this.chosen[layer]?.[field] ?? [];
    let next: string[];
    if (!codes.length) next = [code];
    else if (codes.includes(code)) next = codes.filter((one) => one !== code);
    else next = [...codes, code];
    if (next.length === all.length) next = [];
    this.chosen = { ...this.chosen, [layer]: { ...this.chosen[layer], [field]: next } };
  }

  reset(layer?: string): void {
    if (layer) this.chosen = { ...this.chosen, [layer]: {} };
    else {
      this.chosen = {};
      this.time = null;
    }
  }

  /** How many things are narrowed: for the mark on the tab. */
  get active(): number {
    const codes = Object.values(this.chosen).flatMap((fields) => Object.values(fields).filter((list) => list.length));
    return codes.length + (this.time ? 1 : 0);
  }
}

export const filters = new Filters();
