/** What the person chose (order, visibility, opacity, filters), laid over the server's style. */
import type { LayerSpecification, Map, StyleSpecification, VectorTileSource } from 'maplibre-gl';
import type { LayerEntry } from '../api/types';
import { OPACITY, scaleOpacity } from './opacity';
import { arrange } from './order';

export interface Look {
  /** Layer ids from top to bottom. */
  order: string[];
  layers: Record<string, { visible: boolean; opacity: number; tiles: string }>;
}

/** Which layer of the list a style layer draws. */
export function layerOf(layer: { metadata?: unknown }): string | null {
  const metadata = layer.metadata as Record<string, unknown> | undefined;
  const id = metadata?.['parallax:layer'];
  return typeof id === 'string' ? id : null;
}

/** Which part of it, e.g. `areas` or `points`. */
export function partOf(layer: LayerSpecification): string {
  const metadata = layer.metadata as Record<string, unknown> | undefined;
  return String(metadata?.['parallax:part'] ?? layer.id.split('/')[1] ?? '');
}

/** Sources whose tiles hold exactly one layer of the list: those that filters can be applied to. */
function sourcesOf(style: StyleSpecification): Record<string, string> {
  const found: Record<string, Set<string>> = {};
  for (const layer of style.layers) {
    const id = layerOf(layer);
    if (id && 'source' in layer && typeof layer.source === 'string') (found[layer.source] ??= new Set()).add(id);
  }
  return Object.fromEntries(
    Object.entries(found).flatMap(([source, ids]) => (ids.size === 1 ? [[source, [...ids][0] as string]] : [])),
  );
}

const absolute = (address: string) => (address.startsWith('/') ? location.origin + address : address);

/** A style as it is to be drawn first: in order, filtered, with hidden layers hidden. */
export function dress(style: StyleSpecification, layers: readonly LayerEntry[], look: Look): StyleSpecification {
  const sources = sourcesOf(style);
  const drawn = Object.fromEntries(
    Object.entries(style.sources).map(([id, source]) => {
      if (source.type !== 'vector' || !source.tiles) return [id, source];
      const tiles = look.layers[sources[id] ?? '']?.tiles;
      return [id, { ...source, tiles: tiles ? [absolute(tiles)] : source.tiles.map(absolute) }];
    }),
  );
  const byId = new globalThis.Map(style.layers.map((layer) => [layer.id, layer]));
  const ordered = sequence(style, layers, look).map((id) => byId.get(id) as LayerSpecification);
  return {
    ...style,
    sources: drawn,
    layers: ordered.map((layer) => {
      const chosen = look.layers[layerOf(layer) ?? ''];
      if (!chosen) return layer;
      const paint = { ...(layer.paint as Record<string, unknown> | undefined) };
      for (const name of OPACITY[layer.type] ?? []) {
        const value = scaleOpacity(paint[name], chosen.opacity);
        if (value !== undefined) paint[name] = value;
      }
      return { ...layer, paint, layout: { ...layer.layout, visibility: shown(layer, chosen.visible) } } as LayerSpecification;
    }),
  };
}

function shown(layer: LayerSpecification, visible: boolean): 'visible' | 'none' {
  const hidden = (layer.layout as { visibility?: string } | undefined)?.visibility === 'none';
  return visible && !hidden ? 'visible' : 'none';
}

function sequence(style: StyleSpecification, layers: readonly LayerEntry[], look: Look): string[] {
  const groups = Object.fromEntries(layers.map((layer) => [layer.id, layer.group]));
  const parts = style.layers.map((layer) => {
    const id = layerOf(layer);
    return { id: layer.id, layer: id && groups[id] ? id : null, part: partOf(layer), symbol: layer.type === 'symbol' };
  });
  return arrange(parts, look.order, (id) => groups[id]);
}

/** Bring a living map from one look to the next, touching only what differs. */
export function redress(
  map: Map,
  style: StyleSpecification,
  layers: readonly LayerEntry[],
  before: Look,
  after: Look,
): void {
  for (const [source, id] of Object.entries(sourcesOf(style))) {
    const tiles = after.layers[id]?.tiles;
    if (tiles && tiles !== before.layers[id]?.tiles) {
      map.getSource<VectorTileSource>(source)?.setTiles([absolute(tiles)]);
    }
  }
  for (const layer of style.layers) {
    const id = layerOf(layer) ?? '';
    const [was, is] = [before.layers[id], after.layers[id]];
    if (!is) continue;
    if (was?.visible !== is.visible) map.setLayoutProperty(layer.id, 'visibility', shown(layer, is.visible));
    if (was?.opacity === is.opacity) continue;
    const paint = (layer.paint ?? {}) as Record<string, unknown>;
    for (const name of OPACITY[layer.type] ?? []) {
      map.setPaintProperty(layer.id, name as 'fill-opacity', scaleOpacity(paint[name], is.opacity) as number);
    }
  }
  const order = sequence(style, layers, after);
  if (order.join() === sequence(style, layers, before).join()) return;
  for (let i = order.length - 2; i >= 0; i--) map.moveLayer(order[i] as string, order[i + 1] as string);
}
