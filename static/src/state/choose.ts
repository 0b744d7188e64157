/** Picking and pointing from the list. */
import type { LayerEntry, RecordFeature } from '../api/types';
import { boundsOf } from './bounds';
import { list } from './records.svelte';
import { selection } from './selection.svelte';
import { session } from './session.svelte';
import { view } from './view.svelte';

export function choose(layer: LayerEntry, feature: RecordFeature): void {
  const audience = session.picture?.audience.id;
  if (!audience) return;
  list.wide = false;
  const marked = feature.geometry ? [feature.geometry] : [];
  selection.pick(
    audience,
    [{ kind: 'record', layer: layer.id, id: feature.id, properties: feature.properties, feature }],
    null,
    marked,
  );
  const box = boundsOf(feature.geometry);
  if (!box) return;
  // what the view shows even in part stays put: a list in step with the map must not jump under the hand
  const [w, s, e, n] = view.box ?? [-180, -90, 180, 90];
  const seen = box[2] >= w && box[0] <= e && box[3] >= s && box[1] <= n;
  if (!seen) {
    const point = box[0] === box[2] && box[1] === box[3];
    view.target = { lon: (box[0] + box[2]) / 2, lat: (box[1] + box[3]) / 2, ...(point ? { zoom: 9 } : { bbox: box }) };
  }
}

export function point(feature: RecordFeature | null): void {
  selection.pointed = feature?.geometry ?? null;
}
