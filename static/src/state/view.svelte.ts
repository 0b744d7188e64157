/** Where the map looks. The map writes it; the list, the status line and the link read it. */
import type { Box } from '../api/query';
import type { Camera } from './link';

export interface Target {
  lon: number;
  lat: number;
  zoom?: number;
  bbox?: [number, number, number, number];
}

class View {
  camera = $state.raw<Camera | null>(null);
  /** The bounds of the view; null until there is a map, or when it shows the whole round. */
  box = $state.raw<Box | null>(null);
  /** Is a map there and its bounds known? */
  ready = $state(false);
  /** The pointer on the map, if any. */
  cursor = $state.raw<{ lon: number; lat: number } | null>(null);
  /** A wish to go somewhere; the map fulfils it and clears it. */
  target = $state.raw<Target | null>(null);
}

export const view = new View();
