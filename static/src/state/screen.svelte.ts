/** The shape of the screen, and what is said to people who do not see it. */

class Screen {
  /** Narrow: the map comes first, everything else in a sheet. */
  phone = $state(false);
  stillness = $state(false);
  /** Are the notes about the map open? */
  notes = $state(false);
  /** The last thing worth saying aloud. */
  said = $state('');

  constructor() {
    const narrow = matchMedia('(max-width: 760px)');
    this.phone = narrow.matches;
    narrow.addEventListener('change', (event) => (this.phone = event.matches));
    const still = matchMedia('(prefers-reduced-motion: reduce)');
    this.stillness = still.matches;
    still.addEventListener('change', (event) => (this.stillness = event.matches));
  }

  say(text: string): void {
    this.said = text;
  }
}

export const screen = new Screen();
