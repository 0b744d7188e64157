/** The pointer on the map: what it hovers over, what it picks. */
import type { Map } from 'maplibre-gl';
import type { LayerEntry } from '../api/types';
import { under, type Under } from './hits';

export interface Hover {
  x: number;
  y: number;
  under: Under;
}

export interface Handlers {
  layers(): readonly LayerEntry[];
  hover(hover: Hover | null): void;
  cursor(place: { lon: number; lat: number } | null): void;
  pick(found: Under, place: { lon: number; lat: number }, x: number, y: number): void;
}

export function mountPointer(map: Map, handlers: Handlers): () => void {
  let frame = 0;
  const canvas = map.getCanvas();

  const hovering = matchMedia('(hover: hover)');
  const moved = map.on('mousemove', (event) => {
    // a finger that taps also sends a move, and would leave a tip behind
    if (!hovering.matches) return;
    handlers.cursor({ lon: event.lngLat.lng, lat: event.lngLat.lat });
    if (frame) return;
    // hit tests are dear; one a frame is enough
    frame = requestAnimationFrame(() => {
      frame = 0;
      if (map.isMoving()) return handlers.hover(null);
      const found = under(map, event.point.x, event.point.y, handlers.layers());
      const any = found.cluster !== null || found.hits.length > 0;
      canvas.style.cursor = any ? 'pointer' : '';
      handlers.hover(any ? { x: event.point.x, y: event.point.y, under: found } : null);
    });
  });
  const left = map.on('mouseout', () => {
    handlers.hover(null);
    handlers.cursor(null);
  });
  const started = map.on('movestart', () => handlers.hover(null));
  const pick = (x: number, y: number) => {
    const place = map.unproject([x, y]);
    handlers.hover(null);
    handlers.pick(under(map, x, y, handlers.layers()), { lon: place.lng, lat: place.lat }, x, y);
  };
  const clicked = map.on('click', (event) => pick(event.point.x, event.point.y));

  // by keyboard the middle of the map is the pointer
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    pick(canvas.clientWidth / 2, canvas.clientHeight / 2);
  };
  canvas.addEventListener('keydown', pressed);

  return () => {
    cancelAnimationFrame(frame);
    for (const subscription of [moved, left, started, clicked]) subscription.unsubscribe();
    canvas.removeEventListener('keydown', pressed);
  };
}
