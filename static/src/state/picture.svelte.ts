/** One audience's picture of the mission: what exists for it. Nothing in here is shared with another audience. */
import { read, Refused } from '../api/client';
import type { Audience, LayerEntry, Manifest } from '../api/types';
import { named, type Language } from '../i18n/index.svelte';
import { arrangement } from './arrangement.svelte';

export type Trouble = 'gone' | 'refused';

interface Extent {
  extent?: { temporal?: { interval?: [string | null, string | null][] } };
}

export const manifestAddress = (audience: string, language: Language) => `/${audience}/manifest?lang=${language}`;

export const styleAddress = (audience: string, language: Language, dark: boolean) =>
  `/${audience}/style.json?theme=${dark ? 'dark' : 'light'}&lang=${language}`;

/** Codes come in the language asked for; titles and field names are declared in English only. */
function translated(layer: LayerEntry): LayerEntry {
  const fields = layer.fields.map((field) => ({ ...field, label: named(field.label) }));
  return { ...layer, title: named(layer.title), fields };
}

export class Picture {
  readonly audience: Audience;
  manifest = $state.raw<Manifest | null>(null);
  trouble = $state<Trouble | null>(null);
  /** From the first to the last moment of all records with a time. */
  interval = $state.raw<[Date, Date] | null>(null);
  /** The end of the latest record of the topmost layer with a time: what "latest" means to a reader. */
  latest = $state.raw<Date | null>(null);
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
      const manifest = await read<Manifest>(manifestAddress(this.audience.id, language), this.#stop.signal);
      this.manifest = { ...manifest, layers: manifest.layers.map(translated) };
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
    let latest: number | null = null;
    for (const layer of this.layers.filter((one) => one.time).sort((a, b) => b.order - a.order)) {
      try {
        const found = await read<Extent>(`/${this.audience.id}/collections/${layer.id}?f=json`, this.#stop.signal);
        const own = (found.extent?.temporal?.interval?.flat() ?? []).flatMap((end) => (end ? [Date.parse(end)] : []));
        if (own.length) latest ??= Math.max(...own);
        ends.push(...own);
      } catch {
        return;
      }
    }
    if (latest !== null) this.latest = new Date(latest);
    if (ends.length) this.interval = [new Date(Math.min(...ends)), new Date(Math.max(...ends))];
  }

  close(): void {
    this.#stop.abort();
  }
}
