/** Two maps that show the same place. */
import type { Map } from 'maplibre-gl';

/** Keep both cameras equal, whichever is moved. Returns the way to let them go. */
export function sync(first: Map, second: Map): () => void {
  let following = false;
  const follow = (from: Map, to: Map) => () => {
    if (following) return;
    following = true;
    to.jumpTo({ center: from.getCenter(), zoom: from.getZoom(), bearing: from.getBearing() });
    following = false;
  };
  const [ahead, back] = [follow(first, second), follow(second, first)];
  ahead();
  first.on('move', ahead);
  second.on('move', back);
  return () => {
    first.off('move', ahead);
    second.off('move', back);
  };
}
