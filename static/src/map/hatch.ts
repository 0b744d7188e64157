/** Hatch patterns for areas, drawn when a style asks for `hatch-<colour>`. */

const SIZE = 8;

/** The colour in the name of a hatch image, or null if the name is of something else. */
export function hatchColour(id: string): string | null {
  const match = /^hatch-#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(id);
  return match ? `#${match[1]}` : null;
}

/**
 * Diagonal stripes that join at the edges of the tile. Drawn at the screen's pixel ratio; with a faint wash, so that
 * the area reads as one body on both themes.
 */
export function hatchImage(colour: string, ratio: number): ImageData {
  const side = SIZE * ratio;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = side;
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  context.scale(ratio, ratio);
  context.globalAlpha = 0.14;
  context.fillStyle = colour;
  context.fillRect(0, 0, SIZE, SIZE);
  context.globalAlpha = 0.85;
  context.strokeStyle = colour;
  context.lineWidth = 1.2;
  context.beginPath();
  for (const shift of [-SIZE, 0, SIZE]) {
    context.moveTo(shift - 1, SIZE + 1);
    context.lineTo(shift + SIZE + 1, -1);
  }
  context.stroke();
  return context.getImageData(0, 0, side, side);
}
