/** The list: records of one layer under the filters of the moment, page by page, in step with the map. */
import { read } from '../api/client';
import { recordAddress, type Box, type RecordQuery, type Sorting } from '../api/query';
import type { LayerEntry, RecordFeature, RecordPage } from '../api/types';

// areas come with their outlines, which weigh far more than the words
const PAGE = 25;

export class Records {
  features = $state.raw<RecordFeature[]>([]);
  /** Exact, of all pages; null while unknown. */
  matched = $state<number | null>(null);
  loading = $state(false);
  failed = $state(false);
  next = $state<string | null>(null);
  #stop: AbortController | null = null;

  /** Read the first page. What was on its way for an earlier question is dropped. */
  async ask(layer: LayerEntry, query: RecordQuery): Promise<void> {
    await this.#fetch(recordAddress(layer.items, { limit: PAGE, ...query }), true);
  }

  async more(): Promise<void> {
    if (this.next && !this.loading) await this.#fetch(this.next, false);
  }

  async #fetch(address: string, first: boolean): Promise<void> {
    this.#stop?.abort();
    const stop = new AbortController();
    this.#stop = stop;
    this.loading = true;
    this.failed = false;
    try {
      const page = await read<RecordPage>(address, stop.signal);
      if (stop.signal.aborted) return;
      this.features = first ? page.features : [...this.features, ...page.features];
      this.matched = page.numberMatched;
      const link = page.links.find((one) => one.rel === 'next');
      // only the path: behind a proxy the server may not know its own name
      this.next = link ? localPath(link.href) : null;
    } catch {
      if (stop.signal.aborted) return;
      this.failed = true;
      if (first) {
        this.features = [];
        this.matched = null;
        this.next = null;
      }
    }
    if (this.#stop === stop) this.loading = false;
  }

  clear(): void {
    this.#stop?.abort();
    this.features = [];
    this.matched = null;
    this.next = null;
    this.loading = false;
    this.failed = false;
  }
}

export function localPath(href: string): string {
  const url = new URL(href, location.origin);
  return url.pathname + url.search;
}

class ListState {
  layer = $state<string | null>(null);
  /** Follow the map's view, or list everything (also what has no place). */
  everywhere = $state(false);
  sort = $state.raw<Sorting | null>(null);
  /** Is the list spread over the map as a full table? */
  wide = $state(false);
  readonly records = new Records();
}

export const list = new ListState();

/** How many records a layer has under a query. */
export async function countOf(
  layer: LayerEntry,
  query: { bbox: Box | null } & RecordQuery,
  signal: AbortSignal,
): Promise<number> {
  // one record comes with the count: one with a point, if there is any, and hardly a word
  const small: RecordQuery = { ...query, limit: 1, sort: { field: 'area', descending: true }, only: 'place_precision' };
  return (await read<RecordPage>(recordAddress(layer.items, small), signal)).numberMatched;
}
