/** What a person prefers on this device: theme, language, layout. Nothing else is ever kept in the browser. */
import type { Language } from '../i18n/index.svelte';

export type Theme = 'system' | 'dark' | 'light';
export type Tab = 'layers' | 'list' | 'filters';

interface Kept {
  theme: Theme;
  language: Language;
  rail: boolean;
  tab: Tab;
}

const KEY = 'parallax';

function kept(): Partial<Kept> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Kept>;
  } catch {
    return {};
  }
}

function systemLanguage(): Language {
  for (const tag of navigator.languages) {
    const language = tag.slice(0, 2);
    if (language === 'en' || language === 'fr' || language === 'ar') return language;
  }
  return 'en';
}

class Prefs {
  theme = $state<Theme>('system');
  language = $state<Language>('en');
  /** Is the panel beside the map open? */
  rail = $state(true);
  tab = $state<Tab>('layers');
  #systemDark = $state(true);

  constructor() {
    const before = kept();
    if (before.theme === 'dark' || before.theme === 'light') this.theme = before.theme;
    this.language =
      before.language === 'en' || before.language === 'fr' || before.language === 'ar' ? before.language : systemLanguage();
    if (typeof before.rail === 'boolean') this.rail = before.rail;
    if (before.tab === 'list' || before.tab === 'filters') this.tab = before.tab;
    const query = matchMedia('(prefers-color-scheme: dark)');
    this.#systemDark = query.matches;
    query.addEventListener('change', (event) => (this.#systemDark = event.matches));
  }

  get dark(): boolean {
    return this.theme === 'system' ? this.#systemDark : this.theme === 'dark';
  }

  /** Keep what is set now. Call it from an effect. */
  keep(): void {
    const now: Kept = { theme: this.theme, language: this.language, rail: this.rail, tab: this.tab };
    try {
      localStorage.setItem(KEY, JSON.stringify(now));
    } catch {
      // a browser that keeps nothing still works
    }
  }
}

export const prefs = new Prefs();
