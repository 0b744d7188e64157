import { describe, expect, it } from 'vitest';
import { emptyView, formatLink, parseLink, type View } from './link';

const view: View = {
  audience: 'partner:au',
  second: 'public',
  camera: { zoom: 7.25, lat: 5.7639, lon: 20.6707 },
  layers: [
    { id: 'incidents', opacity: 0.8 },
    { id: 'sites', opacity: 1 },
  ],
  time: { from: '2014-01-01T00:00:00Z', to: null },
  chosen: { incidents: { category: ['POC', 'ARC'] } },
  search: 'Bambari ouest',
};

describe('a link carries the view', () => {
  it('and comes back as it was', () => expect(parseLink(formatLink(view))).toEqual(view));
  it('in readable form', () =>
    expect(formatLink(view)).toBe(
      '#a=partner:au&m=7.25/5.7639/20.6707&l=incidents:0.8,sites:1&t=2014-01-01T00:00:00Z/..&f=incidents.category:POC,ARC&q=Bambari%20ouest&v=public',
    ));
  it('leaves out what is malformed', () =>
    expect(parseLink('#a=../../x&m=1/2&t=x/y&l=&f=;;&zz=1&q=%E0%A4%A')).toEqual({ ...emptyView(), layers: [] }));
});
