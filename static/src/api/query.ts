/** Addresses of tiles and records under the filters of the moment. The same filters go to both, so that counts agree. */

export type Box = [west: number, south: number, east: number, north: number];

export interface TimeWindow {
  /** RFC 3339, or null for no limit. */
  from: string | null;
  to: string | null;
}

/** Chosen codes by field; an absent field means all. */
export type Chosen = Record<string, string[]>;

export interface Sorting {
  field: string;
  descending: boolean;
}

export interface RecordQuery {
  bbox?: Box | null;
  time?: TimeWindow | null;
  chosen?: Chosen;
  area?: string | null;
  sort?: Sorting | null;
  limit?: number;
  /** The one property wanted. */
  only?: string;
}

/** Records with a point of their own: what a click on a point can mean. */
export const ON_POINTS: Chosen = { place_precision: ['exact', 'near'] };

export function datetimeParameter(time: TimeWindow | null | undefined): string | null {
  if (!time || (!time.from && !time.to)) return null;
  return `${time.from ?? '..'}/${time.to ?? '..'}`;
}

function filters(time: TimeWindow | null | undefined, chosen: Chosen | undefined): string[] {
  const parts: string[] = [];
  const datetime = datetimeParameter(time);
  if (datetime) parts.push(`datetime=${encodeURIComponent(datetime)}`);
  for (const field of Object.keys(chosen ?? {}).sort()) {
    const values = chosen?.[field] ?? [];
    if (values.length) parts.push(`${encodeURIComponent(field)}=${values.map(encodeURIComponent).join(',')}`);
  }
  return parts;
}

function join(base: string, parts: string[]): string {
  if (!parts.length) return base;
  return base + (base.includes('?') ? '&' : '?') + parts.join('&');
}

/** A tile address with `{z}/{y}/{x}` left in place. */
export function tileAddress(base: string, time: TimeWindow | null, chosen: Chosen | undefined): string {
  return join(base, filters(time, chosen));
}

export function recordAddress(base: string, query: RecordQuery): string {
  const parts = filters(query.time, query.chosen);
  if (query.bbox) parts.push(`bbox=${query.bbox.map((n) => n.toFixed(6)).join(',')}`);
  if (query.area) parts.push(`area=${encodeURIComponent(query.area)}`);
  if (query.sort) parts.push(`sortby=${query.sort.descending ? '-' : '%2B'}${encodeURIComponent(query.sort.field)}`);
  if (query.only) parts.push(`properties=${encodeURIComponent(query.only)}`);
  if (query.limit) parts.push(`limit=${query.limit}`);
  return join(base, parts);
}

/**
 * A view's bounds as a bbox the server understands. Longitudes are brought to -180..180 (west > east crosses the
 * antimeridian); a view that shows the whole round gives null, which means everywhere.
 */
export function boxOf(west: number, south: number, east: number, north: number): Box | null {
  if (east - west >= 360) return null;
  const wrap = (lon: number) => ((((lon + 180) % 360) + 360) % 360) - 180;
  return [wrap(west), Math.max(south, -90), wrap(east), Math.min(north, 90)];
}
