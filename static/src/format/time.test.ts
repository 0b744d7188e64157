import { describe, expect, it } from 'vitest';
import { en } from '../i18n/en';
import { fill } from '../i18n/fill';
import { dateTimeGroup, isoWeek, shortTime, timeWords } from './time';

const t = (key: string, values: Record<string, string | number> = {}) =>
  fill((en as Record<string, unknown>)[key] as string, values, 'en-GB');
const words = (from: string, to: string, precision: Parameters<typeof timeWords>[2]) =>
  timeWords(from, to, precision, 'en-GB', t);

describe('dates are said as precisely as they are known', () => {
  it('a minute', () => expect(words('2014-03-03T14:05:00Z', '2014-03-03T14:06:00Z', 'minute')).toBe('3 March 2014, 14:05 Z'));
  it('an hour', () => expect(words('2014-03-03T14:00:00Z', '2014-03-03T15:00:00Z', 'hour')).toBe('3 March 2014, between 14:00 and 15:00 Z'));
  it('a day', () => expect(words('2014-03-03T00:00:00Z', '2014-03-04T00:00:00Z', 'day')).toBe('3 March 2014'));
  it('some days', () => expect(words('2014-03-03T00:00:00Z', '2014-03-06T00:00:00Z', 'day')).toMatch(/^3\s?–\s?5 March 2014$/));
  it('a week', () => expect(words('2014-03-03T00:00:00Z', '2014-03-10T00:00:00Z', 'week')).toBe('Week of 3 March 2014 (ISO week 10)'));
  it('days of which only the week is known', () =>
    expect(words('2022-12-11T00:00:00Z', '2022-12-13T00:00:00Z', 'week')).toMatch(/^About 11\s?–\s?12 December 2022 \(known to the week\)$/));
  it('a month', () => expect(words('2014-03-01T00:00:00Z', '2014-04-01T00:00:00Z', 'month')).toBe('March 2014 (month only)'));
  it('longer', () =>
    expect(words('2014-03-03T00:00:00Z', '2014-06-05T00:00:00Z', 'longer')).toBe('Some time between 3 March 2014 and 4 June 2014'));
  it('no date', () => expect(timeWords(null, null, 'day', 'en-GB', t)).toBeNull());
});

it('weeks follow ISO 8601 across the turn of the year', () => {
  expect(isoWeek(new Date('2021-01-03'))).toEqual({ year: 2020, week: 53 });
  expect(isoWeek(new Date('2018-12-31'))).toEqual({ year: 2019, week: 1 });
});

it('short dates fit a column', () => {
  expect(shortTime('2014-03-01T00:00:00Z', '2014-04-01T00:00:00Z', 'month', 'en-GB')).toBe('Mar 2014');
  expect(shortTime('2014-03-03T00:00:00Z', '2014-03-04T00:00:00Z', 'day', 'en-GB')).toBe('3 Mar 2014');
});

it('a date-time group is in Zulu', () => expect(dateTimeGroup(new Date('2026-11-22T18:43:10Z'))).toBe('221843Z NOV 26'));
