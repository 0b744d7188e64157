import { expect, it } from 'vitest';
import { en } from '../i18n/en';
import { fill } from '../i18n/fill';
import { placeWords, roundWidth } from './place';

const t = (key: string, values: Record<string, string | number> = {}) =>
  fill((en as Record<string, unknown>)[key] as string, values, 'en-GB');

it('says how wide an area is', () => {
  expect(placeWords({ place_precision: 'cell', area: 'c1', uncertainty_km: 40 }, 'en-GB', t)).toBe(
    'Somewhere in this area, about 40 km across',
  );
  expect(placeWords({ place_precision: 'admin2', area: 'x', area_label: 'Bambari', uncertainty_km: 162 }, 'en-GB', t)).toBe(
    'Somewhere in Bambari, about 160 km across',
  );
});

it('rounds widths', () => expect([3.4, 43, 158, 0.2].map(roundWidth)).toEqual([3, 45, 160, 1]));
