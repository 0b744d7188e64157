/** Rings and outlines around what is picked and what is pointed at. */
import type { GeoJSONSource, Map } from 'maplibre-gl';

export interface Marks {
  show(marked: readonly GeoJSON.Geometry[], pointed: GeoJSON.Geometry | null): void;
  unmount(): void;
}

const PARTS = ['outline', 'edge', 'ring'] as const;

function collection(shapes: readonly GeoJSON.Geometry[]): GeoJSON.FeatureCollection {
  return {
    type: 'FeatureCollection',
    features: shapes.map((geometry) => ({ type: 'Feature', geometry, properties: {} })),
  };
}

/** Mount onto a map whose style is loaded. */
export function mountMarks(map: Map, colours: { marked: string; pointed: string; halo: string }): Marks {
  for (const name of ['pointed', 'marked'] as const) {
    map.addSource(name, { type: 'geojson', data: collection([]) });
    const line = { source: name, filter: ['!=', ['geometry-type'], 'Point'] as never };
    map.addLayer({
      id: `${name}/outline`,
      type: 'line',
      ...line,
      layout: { 'line-join': 'round' },
      paint: { 'line-color': colours.halo, 'line-width': 6, 'line-opacity': 0.8 },
    });
    map.addLayer({
      id: `${name}/edge`,
      type: 'line',
      ...line,
      layout: { 'line-join': 'round' },
      paint: { 'line-color': colours[name], 'line-width': 2.5 },
    });
    map.addLayer({
      id: `${name}/ring`,
      type: 'circle',
      source: name,
      filter: ['==', ['geometry-type'], 'Point'],
      paint: {
        'circle-radius': 11,
        'circle-color': 'rgba(0,0,0,0)',
        'circle-stroke-color': colours[name],
        'circle-stroke-width': 3,
      },
    });
  }
  return {
    show(marked, pointed) {
      map.getSource<GeoJSONSource>('marked')?.setData(collection(marked));
      map.getSource<GeoJSONSource>('pointed')?.setData(collection(pointed ? [pointed] : []));
    },
    unmount() {
      for (const name of ['pointed', 'marked']) {
        for (const part of PARTS) if (map.getLayer(`${name}/${part}`)) map.removeLayer(`${name}/${part}`);
        if (map.getSource(name)) map.removeSource(name);
      }
    },
  };
}
