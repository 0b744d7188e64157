import { expect, it } from 'vitest';
import type { Group } from '../api/types';
import { parseImage } from './images';
import { scaleOpacity } from './opacity';
import { arrange } from './order';

it('scales opacities of every form', () => {
  expect(scaleOpacity(0.5, 0.5)).toBe(0.25);
  expect(scaleOpacity(undefined, 0.5)).toBe(0.5);
  expect(scaleOpacity(['get', 'o'], 0.5)).toEqual(['*', ['get', 'o'], 0.5]);
  expect(scaleOpacity(['interpolate', ['linear'], ['zoom'], 5, 0, 8, 1], 0.5)).toEqual([
    'interpolate', ['linear'], ['zoom'], 5, 0, 8, 0.5,
  ]);
  expect(scaleOpacity(['step', ['zoom'], 0, 5, 1], 0.5)).toEqual(['step', ['zoom'], 0, 5, 0.5]);
});

const part = (id: string, symbol = false) => {
  const [layer, name] = id.split('/') as [string, string | undefined];
  return { id, layer: name ? layer : null, part: name ?? '', symbol };
};
const groups: Record<string, Group> = { water: 'base', bases: 'reference', sites: 'operations', incidents: 'operations' };

it('lays areas below names and points, and clusters on top', () => {
  const parts = [
    part('background'), part('water/line'), part('water/labels', true), part('bases/points'),
    part('incidents/areas'), part('incidents/clusters'), part('incidents/points'), part('incidents/area-counts', true),
  ];
  expect(arrange(parts, ['incidents', 'bases', 'water'], (id) => groups[id])).toEqual([
    'background', 'water/line', 'incidents/areas', 'water/labels', 'bases/points', 'incidents/points',
    'incidents/area-counts', 'incidents/clusters',
  ]);
});

it('moves layers within their group only', () => {
  const parts = [part('bases/points'), part('sites/points'), part('incidents/points'), part('incidents/labels', true)];
  expect(arrange(parts, ['bases', 'sites', 'incidents'], (id) => groups[id])).toEqual([
    'bases/points', 'incidents/points', 'incidents/labels', 'sites/points',
  ]);
});

it('knows the images it draws by their names', () => {
  expect(parseImage('hatch-#c31e1e')).toEqual({ kind: 'hatch', colour: '#c31e1e' });
  expect(parseImage('tag-c31e1e')).toEqual({ kind: 'tag', colour: '#c31e1e' });
  expect(parseImage('shield')).toBeNull();
});
