/** The address of a view: audience, camera, layers, filters. It never carries data. */
import type { Chosen, TimeWindow } from '../api/query';

export interface Camera {
  zoom: number;
  lat: number;
  lon: number;
}

export interface LinkedLayer {
  id: string;
  opacity: number;
}

export interface View {
  audience: string | null;
  /** The second audience of "view as". */
  second: string | null;
  camera: Camera | null;
  /** Visible layers from top to bottom; null means as the server proposes. */
  layers: LinkedLayer[] | null;
  time: TimeWindow | null;
  /** Chosen codes by layer. */
  chosen: Record<string, Chosen>;
  search: string;
}

export const emptyView = (): View => ({
  audience: null,
  second: null,
  camera: null,
  layers: null,
  time: null,
  chosen: {},
  search: '',
});

const AUDIENCE = /^[a-z][a-z0-9_]{0,30}(:[a-z0-9_]{1,20})?$/;
const NAME = /^[a-z][a-z0-9_]{0,40}$/;

function encode(text: string): string {
  // these mean nothing special in a fragment, and links should stay readable
  return encodeURIComponent(text).replace(/%(2F|3A|2C)/g, (escaped) => decodeURIComponent(escaped));
}

export function formatLink(view: View): string {
  const parts: string[] = [];
  if (view.audience) parts.push(`a=${encode(view.audience)}`);
  if (view.camera) {
    const { zoom, lat, lon } = view.camera;
    parts.push(`m=${zoom.toFixed(2)}/${lat.toFixed(4)}/${lon.toFixed(4)}`);
  }
  if (view.layers) parts.push(`l=${view.layers.map((l) => `${l.id}:${+l.opacity.toFixed(2)}`).join(',')}`);
  if (view.time) parts.push(`t=${encode(view.time.from ?? '..')}/${encode(view.time.to ?? '..')}`);
  const chosen = Object.entries(view.chosen).flatMap(([layer, fields]) =>
    Object.entries(fields).flatMap(([field, codes]) =>
      codes.length ? [`${layer}.${field}:${codes.map(encodeURIComponent).join(',')}`] : [],
    ),
  );
  if (chosen.length) parts.push(`f=${chosen.join(';')}`);
  if (view.search) parts.push(`q=${encode(view.search)}`);
  if (view.second) parts.push(`v=${encode(view.second)}`);
  return parts.length ? `#${parts.join('&')}` : '';
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

function parseCamera(text: string): Camera | null {
  const numbers = text.split('/').map(Number);
  const [zoom, lat, lon] = numbers as [number, number, number];
  if (numbers.length !== 3 || numbers.some((n) => !Number.isFinite(n))) return null;
  if (zoom < 0 || zoom > 24 || Math.abs(lat) > 90 || Math.abs(lon) > 360) return null;
  return { zoom, lat, lon };
}

function parseLayers(text: string): LinkedLayer[] {
  return text
    .split(',')
    .map((item) => item.split(':'))
    .filter(([id]) => NAME.test(id ?? ''))
    .map(([id, opacity]) => {
      const value = Number(opacity ?? '1');
      return { id: id as string, opacity: Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 1 };
    });
}

function parseTime(text: string): TimeWindow | null {
  const ends = text.split('/').map((end) => (end === '..' || end === '' ? null : end));
  if (ends.length !== 2 || ends.some((end) => end !== null && Number.isNaN(Date.parse(end)))) return null;
  const [from, to] = ends as [string | null, string | null];
  return from || to ? { from, to } : null;
}

function parseChosen(text: string): Record<string, Chosen> {
  const chosen: Record<string, Chosen> = {};
  for (const item of text.split(';')) {
    const match = /^([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*):(.+)$/.exec(item);
    if (!match) continue;
    const [, layer, field, codes] = match as unknown as [string, string, string, string];
    (chosen[layer] ??= {})[field] = codes.split(',').map(decode);
  }
  return chosen;
}

/** Read an address. What is malformed is left out: an old or mangled link still opens. */
export function parseLink(hash: string): View {
  const view = emptyView();
  for (const part of hash.replace(/^#/, '').split('&')) {
    const at = part.indexOf('=');
    if (at < 1) continue;
    const key = part.slice(0, at);
    const raw = part.slice(at + 1);
    const value = decode(raw);
    if (key === 'a' && AUDIENCE.test(value)) view.audience = value;
    else if (key === 'v' && AUDIENCE.test(value)) view.second = value;
    else if (key === 'm') view.camera = parseCamera(value);
    else if (key === 'l') view.layers = parseLayers(value);
    else if (key === 't') view.time = parseTime(value);
    else if (key === 'f') view.chosen = parseChosen(raw);
    else if (key === 'q') view.search = value.slice(0, 200);
  }
  return view;
}
