import { read } from './client';
import type { Hit } from './types';

/** Coordinates, names, titles and released texts that match, best first. */
export async function search(audience: string, text: string, signal: AbortSignal): Promise<Hit[]> {
  const answer = await read<{ hits: Hit[] }>(`/${audience}/search?q=${encodeURIComponent(text)}&limit=100`, signal);
  return answer.hits;
}
