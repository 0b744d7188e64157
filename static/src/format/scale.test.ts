import { expect, it } from 'vitest';
import { metresPerPixel, scaleBar } from './scale';

it('takes the largest round length that fits', () => {
  const bar = scaleBar(4, 6, 110);
  expect(bar.metres).toBe(100_000);
  expect(bar.pixels).toBeLessThanOrEqual(110);
  expect(bar.pixels * metresPerPixel(4, 6)).toBeCloseTo(100_000);
});
