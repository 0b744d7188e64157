import { describe, expect, it } from 'vitest';
import { boxOf, recordAddress, tileAddress } from './query';

const time = { from: '2014-01-01T00:00:00Z', to: null };

describe('the same filters go to tiles and records', () => {
  it('in tiles', () =>
    expect(tileAddress('/public/t/{z}/{y}/{x}', time, { category: ['POC', 'ARC'], status: [] })).toBe(
      '/public/t/{z}/{y}/{x}?datetime=2014-01-01T00%3A00%3A00Z%2F..&category=POC,ARC',
    ));
  it('in records', () =>
    expect(
      recordAddress('/public/items', { bbox: [1, 2, 3, 4], time, sort: { field: 'time_from', descending: true }, limit: 50 }),
    ).toBe('/public/items?datetime=2014-01-01T00%3A00%3A00Z%2F..&bbox=1.000000,2.000000,3.000000,4.000000&sortby=-time_from&limit=50'));
  it('and a count asks for little', () =>
    expect(recordAddress('/x', { limit: 1, only: 'place_precision' })).toBe('/x?properties=place_precision&limit=1'));
  it('nothing chosen, nothing said', () => expect(recordAddress('/x', {})).toBe('/x'));
});

it('brings bounds onto the globe', () => {
  expect(boxOf(-200, -95, 190, 95)).toBeNull();
  expect(boxOf(170, -10, 190, 10)).toEqual([170, -10, -170, 10]);
});
