/** Which layers are shown, in which order, how opaque. Shared by both sides of "view as". */
import type { LayerEntry } from '../api/types';
import type { LinkedLayer } from './link';

interface Setting {
  visible: boolean;
  opacity: number;
}

class Arrangement {
  /** Layer ids from top to bottom. */
  order = $state<string[]>([]);
  settings = $state<Record<string, Setting>>({});
  /** Has a person changed anything? Only then does the link carry it. */
  touched = $state(false);
  #linked: LinkedLayer[] | null = null;

  /** Take over what a link says; it holds from the next `meet` on. */
  link(layers: LinkedLayer[] | null): void {
    this.#linked = layers;
    if (layers) this.touched = true;
  }

  /** Learn the layers of an audience. Those known already keep their settings. */
  meet(layers: readonly LayerEntry[]): void {
    const proposed = [...layers].sort((a, b) => b.order - a.order).map((layer) => layer.id);
    const linked = this.#linked?.map((layer) => layer.id) ?? [];
    const known = this.order.length ? this.order : linked.filter((id) => proposed.includes(id));
    const fresh = proposed.filter((id) => !known.includes(id));
    const order = [...known];
    for (const id of fresh) {
      // a new layer goes where the server's order has it: before the first known one that is drawn below it
      const below = proposed.slice(proposed.indexOf(id) + 1);
      const at = order.findIndex((one) => below.includes(one));
      order.splice(at < 0 ? order.length : at, 0, id);
    }
    this.order = order;
    const settings = { ...this.settings };
    for (const layer of layers) {
      if (settings[layer.id]) continue;
      const link = this.#linked?.find((one) => one.id === layer.id);
      settings[layer.id] = {
        visible: this.#linked ? Boolean(link) : layer.visible,
        opacity: link?.opacity ?? 1,
      };
    }
    this.settings = settings;
  }

  visible(id: string): boolean {
    return this.settings[id]?.visible ?? false;
  }

  opacity(id: string): number {
    return this.settings[id]?.opacity ?? 1;
  }

  show(id: string, visible: boolean): void {
    this.touched = true;
    this.settings[id] = { opacity: this.opacity(id), visible };
  }

  fade(id: string, opacity: number): void {
    this.touched = true;
    this.settings[id] = { visible: this.visible(id), opacity };
  }

  /** Put a layer before another one of the same group (or last among `peers`). */
  move(id: string, before: string | null, peers: readonly string[]): void {
    this.touched = true;
    const rest = this.order.filter((one) => one !== id);
    const last = peers.filter((one) => one !== id).at(-1);
    const at = before ? rest.indexOf(before) : rest.indexOf(last ?? '') + 1;
    rest.splice(at, 0, id);
    this.order = rest;
  }

  linked(): LinkedLayer[] | null {
    if (!this.touched) return null;
    return this.order.filter((id) => this.visible(id)).map((id) => ({ id, opacity: this.opacity(id) }));
  }
}

export const arrangement = new Arrangement();
