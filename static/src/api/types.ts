/** What the server says to the page: the documents of `/api/session`, `/{audience}/manifest`, `/search` and `…/items`. */

export interface Audience {
  id: string;
  title: string;
  level: 'public' | 'unclassified' | 'confidential' | 'strict';
  /** What stands at the top and bottom of every page of this audience. */
  marking: string;
  partner?: string | null;
}

export interface Account {
  name: string;
  audiences: Audience[];
  admin: boolean;
}

export interface SessionAnswer {
  account: Account | null;
  /** What may be used without signing in. */
  audiences: Audience[];
}

export interface CodeEntry {
  code: string;
  label: string;
  colour?: string | null;
  parent?: string | null;
}

export interface FieldEntry {
  name: string;
  type: 'text' | 'code' | 'integer' | 'number' | 'date' | 'datetime' | 'boolean';
  label: string;
  unit?: string | null;
  description?: string;
  codes?: CodeEntry[] | null;
}

export interface LegendEntry {
  label: string;
  colour: string;
  kind: 'circle' | 'fill' | 'line' | 'hatch' | 'icon';
  dash?: number[] | null;
  /** The value of the layer's `by` field that this line stands for, if any. */
  value?: string | null;
}

export type Group = 'base' | 'reference' | 'operations';

export interface LayerEntry {
  id: string;
  title: string;
  description: string;
  group: Group;
  order: number;
  geometry: 'point' | 'line' | 'polygon';
  visible: boolean;
  clustered: boolean;
  /** May this audience's release hold records that are known only by an area? */
  coarse: boolean;
  time: boolean;
  sentences: string[];
  colour: string;
  /** The field whose codes give the colours. */
  by?: string | null;
  /** The field that is written beside the point. */
  label?: string | null;
  /** Searched fields; the first names a record. */
  search?: string[];
  fields: FieldEntry[];
  legend: LegendEntry[];
  tiles: string;
  items: string;
}

export interface Manifest {
  audience: Audience;
  mission: { id: string; title: string; bbox: [number, number, number, number]; notices: string[] };
  disclaimer: string;
  attribution: string[];
  layers: LayerEntry[];
}

export type PlacePrecision =
  | 'exact'
  | 'near'
  | 'cell'
  | 'admin3'
  | 'admin2'
  | 'admin1'
  | 'linear'
  | 'country'
  | 'unknown';

export type TimePrecision = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'longer';

export interface Properties {
  place_precision?: PlacePrecision;
  area?: string | null;
  area_label?: string | null;
  uncertainty_km?: number | null;
  time_from?: string | null;
  time_to?: string | null;
  time_precision?: TimePrecision | null;
  [field: string]: unknown;
}

export interface RecordFeature {
  type: 'Feature';
  id: number;
  geometry: GeoJSON.Geometry | null;
  properties: Properties;
}

export interface Link {
  rel: string;
  href: string;
}

export interface RecordPage {
  type: 'FeatureCollection';
  features: RecordFeature[];
  numberMatched: number;
  numberReturned: number;
  links: Link[];
}

export interface Hit {
  /** A place is a coordinate that was understood; it has no layer and no id. */
  kind: 'place' | 'record';
  layer: string | null;
  id: number | null;
  title: string;
  detail: string;
  lon: number | null;
  lat: number | null;
  bbox: [number, number, number, number] | null;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
}
