/** One released value in words. */
import type { FieldEntry, LayerEntry, Properties } from '../api/types';
import { dateTimeWords, dateWords, type Translate } from './time';

/** Is there something to say? Empty and absent values are told apart from zero and no. */
export function isStated(value: unknown): boolean {
  return value !== null && value !== undefined && value !== '';
}

export function codeLabel(field: FieldEntry, code: unknown): string {
  return field.codes?.find((entry) => entry.code === String(code))?.label ?? String(code);
}

export function codeColour(field: FieldEntry | undefined, code: unknown): string | null {
  return field?.codes?.find((entry) => entry.code === String(code))?.colour ?? null;
}

export function valueWords(field: FieldEntry, value: unknown, locale: string, t: Translate): string {
  if (!isStated(value)) return '';
  switch (field.type) {
    case 'code':
      return codeLabel(field, value);
    case 'boolean':
      return t(value ? 'value.yes' : 'value.no');
    case 'integer':
    case 'number':
      // a band such as "10-24" comes as text and stays as it is
      return typeof value === 'number' ? new Intl.NumberFormat(locale).format(value) : String(value);
    case 'date':
      return dateWords(String(value), locale);
    case 'datetime':
      return dateTimeWords(String(value), locale);
    default:
      return String(value);
  }
}

/** The field that names a record: the one searched first, or written on the map, else the first text. */
export function titleField(layer: LayerEntry): FieldEntry | undefined {
  for (const name of [layer.search?.[0], layer.label]) {
    const field = layer.fields.find((f) => f.name === name);
    if (field) return field;
  }
  return layer.fields.find((f) => f.type === 'text');
}

/** A record's own name, else that of the area it is somewhere in; null if it has neither. */
export function recordName(layer: LayerEntry, properties: Properties): string | null {
  const field = titleField(layer);
  if (field && isStated(properties[field.name])) return String(properties[field.name]);
  return isStated(properties.area_label) ? String(properties.area_label) : null;
}

/** What a record is called: its name, else its category, else the layer's title. */
export function recordTitle(layer: LayerEntry, properties: Properties): string {
  const by = layer.fields.find((f) => f.name === layer.by);
  const code = by && isStated(properties[by.name]) ? codeLabel(by, properties[by.name]) : null;
  return recordName(layer, properties) ?? code ?? layer.title;
}
