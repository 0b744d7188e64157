/** The one way to make a map: our style and fonts, nothing from elsewhere, north up. */
import {
  Map,
  setWorkerUrl,
  type LngLatBoundsLike,
  type MapOptions,
  type StyleSpecification,
} from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url';
import './map.css';
import { drawImage } from './images';

export { withLabels } from './labels';
export type { Map, StyleSpecification };

setWorkerUrl(workerUrl);

export interface Options {
  container: HTMLElement;
  style: StyleSpecification;
  camera: { zoom: number; lat: number; lon: number } | null;
  bounds: LngLatBoundsLike;
  /** What the map is called to people who do not see it. */
  name: string;
  still: boolean;
  dark: boolean;
}

export function createMap({ container, style, camera, bounds, name, still, dark }: Options): Map {
  const start: Partial<MapOptions> = camera
    ? { center: [camera.lon, camera.lat], zoom: camera.zoom }
    : { bounds, fitBoundsOptions: { padding: 24 } };
  const map = new Map({
    ...start,
    container,
    style,
    locale: { 'Map.Title': name },
    attributionControl: false,
    maxPitch: 0,
    minZoom: 2,
    maxZoom: 18,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    fadeDuration: still ? 0 : 150,
    localIdeographFontFamily: false,
    // our own server made the style; its tests check it
    validateStyle: false,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  const ratio = Math.ceil(devicePixelRatio);
  const ground = getComputedStyle(container).getPropertyValue('--surface').trim();
  map.setMissingStyleImageResolver((id) => {
    const drawn = map.hasImage(id) ? null : drawImage(id, ground, dark ? 0.42 : 0.6, ratio);
    if (!drawn) return;
    const [image, { stretch, ...options }] = drawn;
    map.addImage(id, image, stretch ? { ...options, stretchX: stretch, stretchY: stretch } : options);
  });
  return map;
}
