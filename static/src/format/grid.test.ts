import { describe, expect, it } from 'vitest';
import { grid, latLong, parsePlace } from './grid';

describe('coordinates', () => {
  it('writes MGRS with the digits asked for', () => {
    expect(grid(18.558, 4.3948)).toBe('34N BK 28978 86209');
    expect(grid(18.558, 4.3948, 2)).toBe('34N BK 28 86');
    expect(grid(0, 89)).toBeNull();
  });
  it('writes latitude and longitude with their sides', () => {
    expect(latLong(18.558, 4.3948)).toBe('4.3948° N, 18.5580° E');
    expect(latLong(-0.5, -2)).toBe('2.0000° S, 0.5000° W');
  });
  it('reads what people type', () => {
    const bangui = { lon: expect.closeTo(18.558, 3), lat: expect.closeTo(4.3948, 3) };
    expect(parsePlace('34NBK2897886209')).toEqual(bangui);
    expect(parsePlace('34N BK 28978 86209')).toEqual(bangui);
    expect(parsePlace('4.3948, 18.558')).toEqual(bangui);
    expect(parsePlace('4.3948 18.558')).toEqual(bangui);
    expect(parsePlace(`4°23'41.3"N 18°33'28.8"E`)).toEqual(bangui);
    expect(parsePlace('4.3948 S, 18.558 W')).toEqual({ lon: expect.closeTo(-18.558, 3), lat: expect.closeTo(-4.3948, 3) });
  });
  it('leaves names to the search', () => {
    for (const text of ['Bambari', 'PK 12', '12 incidents', '33N ZF 1234 123', '95, 10']) expect(parsePlace(text)).toBeNull();
  });
});
