/** Puts values into a sentence and picks its plural form. */

export type Sentence = string | Partial<Record<Intl.LDMLPluralRule, string>>;

/** A sentence with forms is chosen by the value `n`; numbers are written in the locale's way. */
export function fill(sentence: Sentence, values: Record<string, string | number>, locale: string): string {
  let text: string;
  if (typeof sentence === 'string') text = sentence;
  else {
    const rule = new Intl.PluralRules(locale).select(Number(values.n ?? 0));
    text = sentence[rule] ?? sentence.other ?? '';
  }
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? new Intl.NumberFormat(locale).format(value) : value;
  });
}
