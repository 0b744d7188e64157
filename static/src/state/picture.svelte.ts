/** One audience's picture of the mission: what exists for it. Nothing in here is shared with another audience. */
import { read, Refused } from '../api/client';
import type { Audience, LayerEntry, Manifest } from '../api/types';
import type { Language } from '../i18n/index.svelte';
import { arrangement } from './arrangement.svelte';

export type Trouble = 'gone' | 'refused';

interface Extent {
  extent?: { temporal?: { interval?: [string | null, string | null][] } };
}

export class Picture {
  readonly audience: Audience;
  manifest = $state.raw<Manifest | null>(null);
  trouble = $state<Trouble | null>(null);
  /** From the first to the last moment of all records with a time. */
  interval = $state.raw<[Date, Date] | null>(null);
  /** Fulfilled once the manifest is there. */
  readonly ready: Promise<void>;
  #isReady: () => void = () => {};
  readonly #stop = new AbortController();

  constructor(audience: Audience) {
    this.audience = audience;
    this.ready = new Promise((resolve) => (this.#isReady = resolve));
  }

  get layers(): LayerEntry[] {
    return this.manifest?.layers ?? [];
  }

  layer(id: string): LayerEntry | undefined {
    return this.layers.find((layer) => layer.id === id);
  }

  async load(language: Language): Promise<void> {
    this.trouble = null;
    try {
      this.manifest = await read<Manifest>(`/${this.audience.id}/manifest?lang=${language}`, this.#stop.signal);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.trouble = error instanceof Refused ? 'refused' : 'gone';
      return;
    }
    arrangement.meet(this.layers);
    this.#isReady();
    void this.#loadInterval();
  }

  /** The slider's range. Without it the page works, so a failure is not told. */
  async #loadInterval(): Promise<void> {
    const ends: number[] = [];
    for (const layer of this.layers.filter((one) => one.time)) {
      try {
        const found = await read<Extent>(`/${this.audience.id}/collections/${layer.id}?f=json`, this.#stop.signal);
        for (const end of found.extent?.temporal?.interval?.flat() ?? []) if (end) ends.push(Date.parse(end));
      } catch {
        return;
      }
    }
    if (ends.length) this.interval = [new Date(Math.min(...ends)), new Date(Math.max(...ends))];
  }

  close(): void {
    this.#stop.abort();
  }
}
