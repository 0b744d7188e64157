import { expect, it } from 'vitest';
import type { LayerEntry } from '../api/types';
import { boundsOf } from './bounds';
import { differences } from './differences';

const layer = (id: string, ...names: string[]) =>
  ({ id, title: id, fields: names.map((name) => ({ name, type: 'text', label: name })) }) as unknown as LayerEntry;

it('tells what only one of two audiences has, by rule', () => {
  const first = [layer('incidents', 'category', 'narrative'), layer('bases', 'name'), layer('water', 'name')];
  const second = [layer('incidents', 'category', 'summary'), layer('water', 'name')];
  expect(differences(first, second)).toEqual([
    { layer: 'incidents', title: 'incidents', only: null, first: ['narrative'], second: ['summary'] },
    { layer: 'bases', title: 'bases', only: 'first', first: [], second: [] },
  ]);
});

it('bounds any shape', () => {
  const ring = [[1, 2], [5, 2], [5, 7], [1, 2]];
  expect(boundsOf({ type: 'MultiPolygon', coordinates: [[ring], [[[-3, 0], [0, 0], [0, 1], [-3, 0]]]] })).toEqual([-3, 0, 5, 7]);
  expect(boundsOf({ type: 'Point', coordinates: [1, 2] })).toEqual([1, 2, 1, 2]);
  expect(boundsOf(null)).toBeNull();
});
