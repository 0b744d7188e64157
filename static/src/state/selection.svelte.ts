/** What is picked on the map or in the list, and what is pointed at. */
import type { Box } from '../api/query';
import type { Properties, RecordFeature } from '../api/types';

export interface RecordHit {
  kind: 'record';
  layer: string;
  id: number;
  /** What the tile or the list told already. */
  properties: Properties;
  feature?: RecordFeature;
}

export interface AreaHit {
  kind: 'area';
  layer: string;
  area: string;
  properties: Properties;
  n: number;
}

/** Records under a click that are too many to name: a cluster, asked for by its box. */
export type Hit = RecordHit | AreaHit;

export interface Spot {
  lon: number;
  lat: number;
}

class Selection {
  /** The audience as which the hits were seen. */
  audience = $state<string | null>(null);
  hits = $state.raw<Hit[]>([]);
  spot = $state.raw<Spot | null>(null);
  /** The ground the click reached, to read all records in it at once. */
  reach = $state.raw<Box | null>(null);
  /** Shapes to mark on the map: of the picked ones, and of the one pointed at in the list. */
  marked = $state.raw<GeoJSON.Geometry[]>([]);
  pointed = $state.raw<GeoJSON.Geometry | null>(null);

  get open(): boolean {
    return this.hits.length > 0;
  }

  pick(audience: string, hits: Hit[], spot: Spot | null, marked: GeoJSON.Geometry[] = [], reach: Box | null = null): void {
    this.audience = audience;
    this.hits = hits;
    this.spot = spot;
    this.marked = marked;
    this.reach = reach;
  }

  mark(geometry: GeoJSON.Geometry): void {
    this.marked = [...this.marked, geometry];
  }

  clear(): void {
    this.audience = null;
    this.hits = [];
    this.spot = null;
    this.marked = [];
    this.pointed = null;
    this.reach = null;
  }
}

export const selection = new Selection();
