/** Parts of the page that the first view does without: fetched when they are wanted, or once the map stands. */

export const later = {
  details: () => import('./components/Details.svelte'),
  list: () => import('./components/ListPanel.svelte'),
  filters: () => import('./components/FiltersPanel.svelte'),
  notes: () => import('./components/Notes.svelte'),
  signIn: () => import('./components/SignIn.svelte'),
  compare: () => import('./components/Compare.svelte'),
};

let fetched = false;

/** Fetch all of them, so that they are there when the link is gone. */
export function fetchLater(): void {
  if (fetched) return;
  fetched = true;
  for (const part of Object.values(later)) part().catch(() => (fetched = false));
}
