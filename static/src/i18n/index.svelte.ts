/** The language of the page. Texts other than English are loaded when they are wanted. */
import { en } from './en';
import { fill, type Sentence } from './fill';

export type Key = keyof typeof en;
export type Texts = Record<Key, Sentence>;
export type Language = 'en' | 'fr' | 'ar';

interface Tongue {
  name: string;
  /** Digits stay Latin in every language, as on the grid and in message texts; dates stay Gregorian. */
  locale: string;
  direction: 'ltr' | 'rtl';
  load: () => Promise<Texts>;
  /** The names that layers and audiences have in English, in this language. */
  names: () => Promise<Record<string, string>>;
}

export const LANGUAGES: Record<Language, Tongue> = {
  en: { name: 'English', locale: 'en-GB', direction: 'ltr', load: () => Promise.resolve(en as Texts), names: () => Promise.resolve({}) },
  fr: {
    name: 'Français',
    locale: 'fr-FR',
    direction: 'ltr',
    load: async () => (await import('./fr')).fr,
    names: async () => (await import('./names.fr')).names,
  },
  ar: {
    name: 'العربية',
    locale: 'ar-u-nu-latn-ca-gregory',
    direction: 'rtl',
    load: async () => (await import('./ar')).ar,
    names: async () => (await import('./names.ar')).names,
  },
};

class Words {
  language = $state<Language>('en');
  texts = $state.raw<Texts>(en as Texts);
  names = $state.raw<Record<string, string>>({});

  get locale(): string {
    return LANGUAGES[this.language].locale;
  }

  get direction(): 'ltr' | 'rtl' {
    return LANGUAGES[this.language].direction;
  }

  async use(language: Language): Promise<void> {
    const [texts, names] = await Promise.all([LANGUAGES[language].load(), LANGUAGES[language].names()]);
    this.texts = texts;
    this.names = names;
    this.language = language;
    document.documentElement.lang = language;
    document.documentElement.dir = this.direction;
  }
}

export const words = new Words();

/** The text of a key in the language of the page. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(words.texts[key], values, words.locale);
}

/** The same for code that takes its keys as plain text. */
export const translate = (key: string, values: Record<string, string | number> = {}): string => t(key as Key, values);

/** A name that a layer or an audience declares, in the language of the page where it is known. */
export function named(name: string): string {
  return words.names[name] ?? name;
}

export function count(n: number): string {
  return new Intl.NumberFormat(words.locale).format(n);
}
