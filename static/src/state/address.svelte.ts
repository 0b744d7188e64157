/** The address of the page and the state of the page, each made from the other. */
import { arrangement } from './arrangement.svelte';
import { filters } from './filters.svelte';
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
  try {
    await session.start(link.audience, link.second);
  } catch {
    // the client has told that the server does not answer; the banner tries again
  }
  applying = false;
}
