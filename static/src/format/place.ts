/** Where a record is, no more precise than it is known, in words. */
import type { Properties } from '../api/types';
import type { Translate } from './time';

/** Is the record known only by an area? Then it is drawn as that area and has no point. */
export function isArea(properties: Properties): boolean {
  return Boolean(properties.area);
}

/** How many MGRS digits an axis a point deserves: 1 m when exact, 1 km when only near. */
export function gridDigits(properties: Properties): 2 | 4 | 5 {
  if (properties.place_precision === 'exact') return 5;
  return properties.place_precision === 'near' ? 2 : 4;
}

export function placeWords(properties: Properties, locale: string, t: Translate): string {
  const label = properties.area_label ?? '';
  const km = properties.uncertainty_km;
  const across = typeof km === 'number' && km > 0 ? new Intl.NumberFormat(locale).format(roundWidth(km)) : null;
  switch (properties.place_precision) {
    case 'exact':
      return t('place.exact');
    case 'near':
      return t('place.near');
    case 'cell':
      return across ? t('place.cell', { km: across }) : t('place.cell.unsized');
    case 'admin3':
    case 'admin2':
    case 'admin1': {
      const where = label ? t('place.admin', { area: label }) : t('place.admin.unnamed');
      return across ? t('place.across', { where, km: across }) : where;
    }
    case 'linear':
      return t('place.linear');
    case 'country':
      return t('place.country');
    default:
      return t('place.unknown');
  }
}

/** Widths are said in round numbers: an area 43 km wide is "about 45 km across". */
export function roundWidth(km: number): number {
  if (km < 10) return Math.max(1, Math.round(km));
  if (km < 100) return Math.round(km / 5) * 5;
  return Math.round(km / 10) * 10;
}
