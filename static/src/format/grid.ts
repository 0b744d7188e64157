/** Coordinates as people read and write them: MGRS and latitude, longitude. */
import { forward, toPoint } from 'mgrs';

/**
 * The MGRS grid of a place with 1 to 5 digits an axis (10 km to 1 m), or null beyond 84° N and 80° S, where the
 * grid is another.
 */
export function grid(lon: number, lat: number, digits: 1 | 2 | 3 | 4 | 5 = 5): string | null {
  if (!(lat >= -80 && lat <= 84)) return null;
  const raw = forward([wrapLongitude(lon), lat], digits);
  const parts = /^(\d{1,2}[A-Z])([A-Z]{2})(\d+)$/.exec(raw);
  if (!parts) return null;
  const [, zone, square, figures] = parts as unknown as [string, string, string, string];
  const half = figures.length / 2;
  return `${zone.padStart(3, '0')} ${square} ${figures.slice(0, half)} ${figures.slice(half)}`;
}

export function wrapLongitude(lon: number): number {
  return ((((lon + 180) % 360) + 360) % 360) - 180;
}

/** `4.3948° N, 18.5580° E`. Four decimals are 11 m. */
export function latLong(lon: number, lat: number, decimals = 4): string {
  const side = (value: number, plus: string, minus: string) =>
    `${Math.abs(value).toFixed(decimals)}° ${value < 0 ? minus : plus}`;
  return `${side(lat, 'N', 'S')}, ${side(wrapLongitude(lon), 'E', 'W')}`;
}

const GRID = /^\s*(\d{1,2})\s*([C-HJ-NP-X])\s*([A-HJ-NP-Z]{2})\s*((?:\d\s*){2,10})$/i;

function number(degrees: string, minutes?: string, seconds?: string): number {
  const part = (text?: string) => Number((text ?? '0').replace(',', '.'));
  return part(degrees) + part(minutes) / 60 + part(seconds) / 3600;
}

/** A place written as MGRS, as decimal degrees or as degrees, minutes and seconds; null if it is none of them. */
export function parsePlace(text: string): { lon: number; lat: number } | null {
  const square = GRID.exec(text);
  if (square) {
    const figures = (square[4] as string).replace(/\s/g, '');
    if (figures.length % 2) return null;
    try {
      const [lon, lat] = toPoint(`${square[1]}${square[2]}${square[3]}${figures}`.toUpperCase());
      return { lon, lat };
    } catch {
      return null;
    }
  }
  const plain = /^\s*(-?\d{1,2}(?:\.\d+)?)\s*°?\s*[,;\s]\s*(-?\d{1,3}(?:\.\d+)?)\s*°?\s*$/.exec(text);
  if (plain) return within(Number(plain[2]), Number(plain[1]));
  const angle = String.raw`(\d{1,3}(?:[.,]\d+)?)\s*°?\s*(?:(\d{1,2}(?:[.,]\d+)?)\s*['′’]?\s*)?(?:(\d{1,2}(?:[.,]\d+)?)\s*["″”]?\s*)?`;
  const sides = new RegExp(`^\\s*${angle}([NS])[\\s,;]+${angle}([EWO])\\s*$`, 'i').exec(text);
  if (sides) {
    const lat = number(sides[1] as string, sides[2], sides[3]) * (/S/i.test(sides[4] as string) ? -1 : 1);
    const lon = number(sides[5] as string, sides[6], sides[7]) * (/[WO]/i.test(sides[8] as string) ? -1 : 1);
    return within(lon, lat);
  }
  return null;
}

function within(lon: number, lat: number): { lon: number; lat: number } | null {
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lon, lat } : null;
}
