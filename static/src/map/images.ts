/** Images that a style names and the page draws: hatches of areas, and the tags that hold an area's count. */

const HATCH = 9;
const TAG = 16;

type Drawn = [image: ImageData, options: { pixelRatio: number; stretch?: [number, number][]; content?: [number, number, number, number] }];

/** What kind of image an id asks for, and in which colour; null if the page does not draw it. */
export function parseImage(id: string): { kind: 'hatch' | 'tag'; colour: string } | null {
  const match = /^(hatch|tag)-#?([0-9a-f]{6})$/i.exec(id);
  return match ? { kind: match[1] as 'hatch' | 'tag', colour: `#${match[2]}` } : null;
}

function canvas(side: number, ratio: number): CanvasRenderingContext2D {
  const made = document.createElement('canvas');
  made.width = made.height = side * ratio;
  const context = made.getContext('2d') as CanvasRenderingContext2D;
  context.scale(ratio, ratio);
  return context;
}

/** Diagonal stripes that join at the edges of the tile, with a faint wash, so that an area reads as one body. */
function hatch(colour: string, strength: number, ratio: number): Drawn {
  const context = canvas(HATCH, ratio);
  context.globalAlpha = strength / 8;
  context.fillStyle = colour;
  context.fillRect(0, 0, HATCH, HATCH);
  context.globalAlpha = strength;
  context.strokeStyle = colour;
  context.lineWidth = 1.1;
  context.beginPath();
  for (const shift of [-HATCH, 0, HATCH]) {
    context.moveTo(shift - 1, HATCH + 1);
    context.lineTo(shift + HATCH + 1, -1);
  }
  context.stroke();
  return [context.getImageData(0, 0, HATCH * ratio, HATCH * ratio), { pixelRatio: ratio }];
}

/** A small plate with a border in the layer's colour; its middle stretches to the figure it holds. */
function tag(colour: string, ground: string, ratio: number): Drawn {
  const context = canvas(TAG, ratio);
  context.fillStyle = ground;
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  context.roundRect(0.75, 0.75, TAG - 1.5, TAG - 1.5, 4);
  context.fill();
  context.stroke();
  const [from, to] = [6 * ratio, 10 * ratio];
  return [
    context.getImageData(0, 0, TAG * ratio, TAG * ratio),
    { pixelRatio: ratio, stretch: [[from, to]], content: [4 * ratio, 3 * ratio, 12 * ratio, 13 * ratio] },
  ];
}

/** `ground` is the colour of plates; `strength` of 0 to 1 is how much hatches weigh, less where the ground is dark. */
export function drawImage(id: string, ground: string, strength: number, ratio: number): Drawn | null {
  const asked = parseImage(id);
  if (!asked) return null;
  return asked.kind === 'hatch' ? hatch(asked.colour, strength, ratio) : tag(asked.colour, ground, ratio);
}
