/** How many records of each layer of operations are in view, for each audience that is looked at. */
import { countOf } from './records.svelte';
import { arrangement } from './arrangement.svelte';
import { filters } from './filters.svelte';
import type { Picture } from './picture.svelte';
import { view } from './view.svelte';

class Counts {
  #found = $state.raw<Record<string, number>>({});

  of(audience: string, layer: string): number | null {
    return this.#found[`${audience}/${layer}`] ?? null;
  }

  /** Ask anew for a picture under the filters and view of the moment. Returns the way to stop. Call from an effect. */
  follow(picture: Picture): () => void {
    const stop = new AbortController();
    const audience = picture.audience.id;
    const asked = picture.layers
      .filter((layer) => layer.group === 'operations' && arrangement.visible(layer.id))
      .map((layer) => ({
        layer,
        query: { bbox: view.box, time: filters.timeFor(layer), chosen: filters.chosenFor(layer) },
      }));
    const timer = setTimeout(async () => {
      for (const { layer, query } of asked) {
        try {
          const n = await countOf(layer, query, stop.signal);
          if (!stop.signal.aborted) this.#found = { ...this.#found, [`${audience}/${layer.id}`]: n };
        } catch {
          return;
        }
      }
    }, 250);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }

  forget(): void {
    this.#found = {};
  }
}

export const counts = new Counts();
