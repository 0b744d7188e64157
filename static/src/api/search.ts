import { read } from './client';
import type { Hit } from './types';

interface Answer {
  hits: (Omit<Hit, 'id'> & { id?: number; fid?: number })[];
}

/** Names, titles and released texts that match, best first. */
export async function search(audience: string, text: string, signal: AbortSignal): Promise<Hit[]> {
  const answer = await read<Answer>(`/${audience}/search?q=${encodeURIComponent(text)}&limit=12`, signal);
  return answer.hits.map((hit) => ({ ...hit, id: (hit.id ?? hit.fid) as number }));
}
