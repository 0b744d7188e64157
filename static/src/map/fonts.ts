/** The fonts of map labels: the page's own files, fetched only for the scripts that a view shows. */
import type { StyleSpecification } from 'maplibre-gl';
import arabic400 from '@fontsource/noto-sans-arabic/files/noto-sans-arabic-arabic-400-normal.woff2?url';
import arabic600 from '@fontsource/noto-sans-arabic/files/noto-sans-arabic-arabic-600-normal.woff2?url';
import ext400 from '@fontsource/noto-sans/files/noto-sans-latin-ext-400-normal.woff2?url';
import ext600 from '@fontsource/noto-sans/files/noto-sans-latin-ext-600-normal.woff2?url';
import latin400 from '@fontsource/noto-sans/files/noto-sans-latin-400-normal.woff2?url';
import latin600 from '@fontsource/noto-sans/files/noto-sans-latin-600-normal.woff2?url';

const ARABIC = ['U+0600-06FF', 'U+0750-077F', 'U+0870-08FF', 'U+200C-200E', 'U+FB50-FDFF', 'U+FE70-FEFC'];
const LATIN = ['U+0000-00FF', 'U+0131', 'U+0152-0153', 'U+02BB-02DC', 'U+2000-206F', 'U+20AC', 'U+2122', 'U+2212'];
const LATIN_EXT = ['U+0100-02BA', 'U+0300-036F', 'U+1E00-1EFF', 'U+2020-20CF', 'U+2113', 'U+2C60-2C7F', 'U+A720-A7FF'];

const REGULAR = 'Noto Sans Regular';
const STRONG = 'Noto Sans SemiBold';

function faces(latin: string, ext: string, arabic: string) {
  const face = (url: string, range: string[]) => ({ url: new URL(url, location.origin).href, 'unicode-range': range });
  return [face(latin, LATIN), face(arabic, ARABIC), face(ext, LATIN_EXT)];
}

/** Declare our fonts in a style, and let every label use one of them, whatever the style names. */
export function withFonts(style: StyleSpecification): StyleSpecification {
  return {
    ...style,
    'font-faces': { [REGULAR]: faces(latin400, ext400, arabic400), [STRONG]: faces(latin600, ext600, arabic600) },
    layers: style.layers.map((layer) => {
      if (layer.type !== 'symbol' || !layer.layout || !('text-field' in layer.layout)) return layer;
      const named = JSON.stringify(layer.layout['text-font'] ?? '');
      const font = /bold|semi|medium/i.test(named) ? STRONG : REGULAR;
      return { ...layer, layout: { ...layer.layout, 'text-font': [font] } };
    }),
  } as StyleSpecification;
}
