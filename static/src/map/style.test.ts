import { expect, it } from 'vitest';
import { hatchColour } from './hatch';
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

it('moves layers within their group only', () => {
  const parts = [
    { id: 'background', layer: null },
    { id: 'water/line', layer: 'water' },
    { id: 'sites/points', layer: 'sites' },
    { id: 'incidents/points', layer: 'incidents' },
    { id: 'places/labels', layer: 'places' },
    { id: 'incidents/count', layer: 'incidents' },
  ];
  const group = (id: string) => ({ water: 'base', places: 'reference' })[id] ?? 'operations';
  expect(arrange(parts, ['sites', 'incidents', 'places', 'water'], group)).toEqual([
    'background', 'water/line', 'incidents/points', 'incidents/count', 'places/labels', 'sites/points',
  ]);
});

it('knows a hatch by its name', () => {
  expect(hatchColour('hatch-#c31e1e')).toBe('#c31e1e');
  expect(hatchColour('hatch-c31e1e')).toBe('#c31e1e');
  expect(hatchColour('shield')).toBeNull();
});
