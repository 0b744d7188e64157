import { svelte } from '@sveltejs/vite-plugin-svelte';
import { readdirSync, readFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Puts a Brotli form beside every large text asset: a sixth smaller than gzip, which the server makes itself. */
function precompress(): Plugin {
  return {
    name: 'precompress',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const [name, item] of Object.entries(bundle)) {
          if (!/\.(js|mjs|css|svg|json)$/.test(name)) continue;
          const source = Buffer.from(item.type === 'chunk' ? item.code : item.source);
          if (source.length < 1024) continue;
          const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: source.length };
          this.emitFile({ type: 'asset', fileName: `${name}.br`, source: brotliCompressSync(source, { params }) });
        }
      },
    },
  };
}

const SHIPPED = ['maplibre-gl', 'svelte', 'mgrs', '@fontsource/noto-sans', '@fontsource/noto-sans-arabic'];

/** Puts the licences of what the page carries beside it. */
function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle() {
      const texts = SHIPPED.map((name) => {
        const folder = `node_modules/${name}`;
        const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
        if (!file) throw new Error(`${folder} holds no licence`);
        return `${name}\n${'='.repeat(name.length)}\n\n${readFileSync(`${folder}/${file}`, 'utf-8').trim()}\n`;
      });
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: `${readFileSync('NOTICE.md', 'utf-8')}\n${texts.join('\n')}` });
    },
  };
}

/** Asks for the map library and the two text fonts at once: on a slow link each round trip is dear. */
function preload(): Plugin {
  return {
    name: 'preload',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, context) {
        const names = Object.keys(context.bundle ?? {});
        const pick = (pattern: RegExp) => names.filter((name) => pattern.test(name));
        const link = (href: string, attributes: Record<string, string>) => ({
          tag: 'link',
          attrs: { href: `/${href}`, ...attributes },
          injectTo: 'head' as const,
        });
        return [
          ...pick(/maplibre-(?!gl-worker)[^/]*\.js$/).map((n) => link(n, { rel: 'modulepreload', crossorigin: '' })),
          ...pick(/noto-sans-latin-(400|600)-normal[^/]*\.woff2$/).map((n) =>
            link(n, { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: '' }),
          ),
        ];
      },
    },
  };
}

const server = process.env.PARALLAX_SERVER ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [svelte(), preload(), licences(), precompress()],
  define: { __VERSION__: JSON.stringify(JSON.parse(readFileSync('package.json', 'utf-8')).version) },
  build: {
    target: 'es2023',
    // the policy `style-src 'self'` allows no inlined anything
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1300,
    rolldownOptions: {
      output: {
        assetFileNames: (asset) =>
          // some servers know no media type for .mjs
          asset.names[0]?.endsWith('.mjs') ? 'assets/[name]-[hash].js' : 'assets/[name]-[hash][extname]',
        advancedChunks: { groups: [{ name: 'maplibre', test: /maplibre-gl\/dist\/maplibre-gl\.mjs$/ }] },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/health', '^/[a-z_:0-9]+/(manifest|style|collections|tiles|search|legend)'].map((path) => [path, server]),
    ),
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
} as Parameters<typeof defineConfig>[0]);
