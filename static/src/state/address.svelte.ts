/** The address of the page and the state of the page, each made from the other. */
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url';
import { readAhead } from '../api/client';
import { arrangement } from './arrangement.svelte';
import { filters } from './filters.svelte';
import { manifestAddress, styleAddress } from './picture.svelte';
import { prefs } from './prefs.svelte';
import { formatLink, parseLink } from './link';
import { searching } from './searching.svelte';
import { session } from './session.svelte';
import { view } from './view.svelte';

let applying = $state(false);

/** Is an address just being taken over? Then the page does not write its own. */
export const isApplying = () => applying;

export function currentLink(): string {
  return formatLink({
    audience: session.picture?.audience.id ?? session.wanted,
    second: session.second?.audience.id ?? null,
    camera: view.camera,
    layers: arrangement.linked(),
    time: filters.time,
    chosen: filters.chosen,
    search: searching.text.trim(),
  });
}

export async function applyLink(hash: string): Promise<void> {
  if (session.started && hash === currentLink()) return;
  applying = true;
  const link = parseLink(hash);
  filters.time = link.time;
  filters.chosen = link.chosen;
  searching.text = link.search;
  arrangement.link(link.layers);
  if (link.camera) {
    if (session.started) view.target = { lon: link.camera.lon, lat: link.camera.lat, zoom: link.camera.zoom };
    else view.camera = link.camera;
  }
  if (!session.started) {
    // most likely the answer will be needed: ask for it while the server says who is here
    const audience = link.audience ?? 'public';
    readAhead(manifestAddress(audience, prefs.language));
    readAhead(styleAddress(audience, prefs.language, prefs.dark));
    void import('../map/create');
    // the map's worker asks for this file when it starts; by then it is here
    fetch(workerUrl, { priority: 'low' }).catch(() => undefined);
  }
  try {
    await session.start(link.audience, link.second);
  } catch {
    // the client has told that the server does not answer; the banner tries again
  }
  applying = false;
}
