/** What lies under a point of the map. */
import type { Map, MapGeoJSONFeature, PointLike } from 'maplibre-gl';
import { boxOf, type Box } from '../api/query';
import type { LayerEntry, PlacePrecision } from '../api/types';
import type { AreaHit, Hit, RecordHit } from '../state/selection.svelte';
import { layerOf } from './look';

export interface ClusterHit {
  layer: string;
  n: number;
  lon: number;
  lat: number;
}

export interface Under {
  hits: Hit[];
  /** A cluster on top of everything else. */
  cluster: ClusterHit | null;
  shapes: GeoJSON.Geometry[];
  /** The ground that a click at this point reaches. */
  reach: Box;
}

const REACH = 5;

export function under(map: Map, x: number, y: number, layers: readonly LayerEntry[], base = false): Under {
  const wanted = new Set(layers.filter((layer) => base || layer.group !== 'base').map((layer) => layer.id));
  const points: string[] = [];
  const fills: string[] = [];
  for (const part of map.getLayersOrder()) {
    const layer = map.getLayer(part);
    const id = layer && layerOf(layer);
    if (!layer || !id || !wanted.has(id)) continue;
    if (layer.type === 'circle' || layer.type === 'symbol') points.push(layer.id);
    else if (layer.type === 'fill') fills.push(layer.id);
  }
  const reach: [PointLike, PointLike] = [
    [x - REACH, y - REACH],
    [x + REACH, y + REACH],
  ];
  const found = [
    ...map.queryRenderedFeatures(reach, { layers: points }),
    ...map.queryRenderedFeatures([x, y], { layers: fills }),
  ];
  const [corner, opposite] = reach.map((at) => map.unproject(at as [number, number]));
  const ground = corner && opposite ? boxOf(corner.lng, opposite.lat, opposite.lng, corner.lat) : null;
  const result: Under = { hits: [], cluster: null, shapes: [], reach: ground ?? [-180, -90, 180, 90] };
  const seen = new Set<string>();
  const places = new Set<string>();
  for (const feature of found) {
    const layer = layerOf(feature.layer);
    if (!layer) continue;
    const cluster = asCluster(feature, layer);
    if (cluster) {
      if (!result.hits.length) result.cluster ??= cluster;
      continue;
    }
    const hit = asArea(feature, layer) ?? asRecord(feature, layer);
    const key = hit && `${hit.kind}:${hit.layer}:${hit.kind === 'area' ? hit.area : hit.id}`;
    if (!hit || !key || seen.has(key)) continue;
    seen.add(key);
    result.hits.push(hit);
    if (hit.kind === 'record' && feature.geometry.type === 'Point') {
      // a stack is one ring, however many records share its point
      const place = feature.geometry.coordinates.join();
      if (!places.has(place)) result.shapes.push(feature.geometry);
      places.add(place);
    }
  }
  const width = (hit: Hit) => (hit.kind === 'area' ? (hit.properties.uncertainty_km ?? 1e6) : 0);
  result.hits.sort((a, b) => width(a) - width(b));
  return result;
}

function asCluster(feature: MapGeoJSONFeature, layer: string): ClusterHit | null {
  if (feature.sourceLayer !== `${layer}_clusters` || feature.geometry.type !== 'Point') return null;
  const n = Number(feature.properties.n ?? 1);
  const [lon, lat] = feature.geometry.coordinates as [number, number];
  return { layer, n, lon, lat };
}

function asArea(feature: MapGeoJSONFeature, layer: string): AreaHit | null {
  if (feature.sourceLayer !== `${layer}_areas` && feature.sourceLayer !== `${layer}_area_labels`) return null;
  const { area, label, km, precision, n } = feature.properties as Record<string, unknown>;
  return {
    kind: 'area',
    layer,
    area: String(area),
    properties: {
      area: String(area),
      area_label: label ? String(label) : null,
      uncertainty_km: typeof km === 'number' ? km : null,
      place_precision: precision as PlacePrecision,
    },
    n: Number(n ?? 1),
  };
}

function asRecord(feature: MapGeoJSONFeature, layer: string): RecordHit | null {
  if (feature.sourceLayer === `${layer}_stacks` || typeof feature.id !== 'number') return null;
  return { kind: 'record', layer, id: feature.id, properties: feature.properties };
}
