/** Picking and pointing from the list. */
import type { LayerEntry, RecordFeature } from '../api/types';
import { list } from './records.svelte';
import { selection } from './selection.svelte';
import { session } from './session.svelte';
import { view } from './view.svelte';

/** The bounds of a shape in longitude and latitude, or null if it has no place. */
export function boundsOf(geometry: GeoJSON.Geometry | null): [number, number, number, number] | null {
  if (!geometry) return null;
  const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  const visit = (part: unknown): void => {
    if (!Array.isArray(part)) return;
    if (typeof part[0] === 'number') {
      const [lon, lat] = part as [number, number];
      box[0] = Math.min(box[0], lon);
      box[1] = Math.min(box[1], lat);
      box[2] = Math.max(box[2], lon);
      box[3] = Math.max(box[3], lat);
    } else part.forEach(visit);
  };
  if (geometry.type === 'GeometryCollection') geometry.geometries.forEach((one) => visit((one as GeoJSON.Point).coordinates));
  else visit(geometry.coordinates);
  return Number.isFinite(box[0]) ? box : null;
}

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
