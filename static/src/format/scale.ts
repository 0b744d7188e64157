/** The scale bar: the largest round length that fits. */

/** Metres on the ground of one CSS pixel, at a latitude and a zoom of 512 px tiles. */
export function metresPerPixel(lat: number, zoom: number): number {
  return (40_075_016.686 * Math.cos((lat * Math.PI) / 180)) / (512 * 2 ** zoom);
}

/** A length of 1, 2 or 5 times a power of ten, in metres, and its width in pixels, not above `most` pixels. */
export function scaleBar(lat: number, zoom: number, most: number): { metres: number; pixels: number } {
  const perPixel = metresPerPixel(lat, zoom);
  const fits = perPixel * most;
  const power = 10 ** Math.floor(Math.log10(fits));
  const metres = ([5, 2, 1].find((n) => n * power <= fits) ?? 1) * power;
  return { metres, pixels: metres / perPixel };
}
