/** The bounds of a shape in longitude and latitude, or null if it has no place. */
export function boundsOf(geometry: GeoJSON.Geometry | null): [number, number, number, number] | null {
  if (!geometry) return null;
  const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  const visit = (part: unknown): void => {
    if (!Array.isArray(part)) return;
    if (typeof part[0] === 'number') {
      const [lon, lat] = part as [number, number];
      box[0] = Math.min(box[0], lon);
      box[1] = Math.min(box[1], lat);
      box[2] = Math.max(box[2], lon);
      box[3] = Math.max(box[3], lat);
    } else part.forEach(visit);
  };
  if (geometry.type === 'GeometryCollection') geometry.geometries.forEach((one) => visit((one as GeoJSON.Point).coordinates));
  else visit(geometry.coordinates);
  return Number.isFinite(box[0]) ? box : null;
}
