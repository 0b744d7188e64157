/** The writing on the map: the page's own fonts, fetched only for the scripts that a view shows, and figures that stand out. */
import type { StyleSpecification, SymbolLayerSpecification } from 'maplibre-gl';
import arabic400 from '@fontsource/noto-sans-arabic/files/noto-sans-arabic-arabic-400-normal.woff2?url';
import arabic600 from '@fontsource/noto-sans-arabic/files/noto-sans-arabic-arabic-600-normal.woff2?url';
import ext400 from '@fontsource/noto-sans/files/noto-sans-latin-ext-400-normal.woff2?url';
import ext600 from '@fontsource/noto-sans/files/noto-sans-latin-ext-600-normal.woff2?url';
import latin400 from '@fontsource/noto-sans/files/noto-sans-latin-400-normal.woff2?url';
import latin600 from '@fontsource/noto-sans/files/noto-sans-latin-600-normal.woff2?url';
import { layerOf, partOf } from './look';

const ARABIC = ['U+0600-06FF', 'U+0750-077F', 'U+0870-08FF', 'U+200C-200E', 'U+FB50-FDFF', 'U+FE70-FEFC'];
const LATIN = ['U+0000-00FF', 'U+0131', 'U+0152-0153', 'U+02BB-02DC', 'U+2000-206F', 'U+20AC', 'U+2122', 'U+2212'];
const LATIN_EXT = ['U+0100-02BA', 'U+0300-036F', 'U+1E00-1EFF', 'U+2020-20CF', 'U+2113', 'U+2C60-2C7F', 'U+A720-A7FF'];

const REGULAR = 'Noto Sans Regular';
const STRONG = 'Noto Sans SemiBold';

function faces(latin: string, ext: string, arabic: string) {
  const face = (url: string, range: string[]) => ({ url: new URL(url, location.origin).href, 'unicode-range': range });
  return [face(latin, LATIN), face(arabic, ARABIC), face(ext, LATIN_EXT)];
}

const AREA_COUNTS = 'area-counts';
const FIGURES = new Set(['cluster-count', 'stacks', AREA_COUNTS]);
const ANCHORS = ['center', 'top', 'bottom', 'left', 'right', 'top-left', 'top-right', 'bottom-left', 'bottom-right'];

/**
 * The count of an area stands on a plate, told apart from a cluster by its form, and steps aside for other figures.
 * It is never left out: an area without a figure holds one record.
 */
function onTag(layer: SymbolLayerSpecification, colour: string): SymbolLayerSpecification {
  return {
    ...layer,
    layout: {
      ...layer.layout,
      'text-size': 12,
      'text-variable-anchor': ANCHORS as never,
      'text-radial-offset': 1.3,
      'text-allow-overlap': true,
      'text-ignore-placement': false,
      'icon-image': `tag-${colour.replace('#', '')}`,
      'icon-text-fit': 'both',
      'icon-text-fit-padding': [1, 3, 1, 3],
      'icon-allow-overlap': true,
      'icon-ignore-placement': true,
    },
    paint: { ...layer.paint, 'text-halo-width': 0 },
  };
}

/** Give a style the page's fonts, whatever it names, and set its figures so that they can be read at a glance. */
export function withLabels(style: StyleSpecification, colourOf: (layer: string) => string | undefined): StyleSpecification {
  return {
    ...style,
    'font-faces': { [REGULAR]: faces(latin400, ext400, arabic400), [STRONG]: faces(latin600, ext600, arabic600) },
    layers: style.layers.map((layer) => {
      if (layer.type !== 'symbol' || !layer.layout || !('text-field' in layer.layout)) return layer;
      const part = partOf(layer);
      const layout = { ...layer.layout, 'text-font': [FIGURES.has(part) ? STRONG : REGULAR] };
      if (part === 'stacks') layout['text-field'] = ['concat', '×', ['to-string', ['get', 'n']]];
      const colour = colourOf(layerOf(layer) ?? '');
      if (part === AREA_COUNTS && colour) return onTag({ ...layer, layout }, colour);
      // other figures and names keep clear of a cluster's circle, which itself takes no part in their placing
      const clear = part === 'cluster-count' ? { 'text-ignore-placement': false, 'text-padding': 8 } : {};
      return { ...layer, layout: { ...layout, ...clear } };
    }),
  } as StyleSpecification;
}
