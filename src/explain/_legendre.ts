/**
 * Points in (0, 1) and weights that integrate polynomials of a degree below `2
 * count` exactly: Gauss and Legendre's.
 */
export function legendre(
  count: number,
): { points: Float64Array; weights: Float64Array } {
  const points = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    // Newton's steps from the usual guess to a root of the polynomial.
    let x = Math.cos(Math.PI * (i + 0.75) / (count + 0.5));
    let slope = 0;
    for (let step = 0; step < 100; step++) {
      let [before, value] = [1, x];
      for (let n = 2; n <= count; n++) {
        [before, value] = [
          value,
          ((2 * n - 1) * x * value - (n - 1) * before) / n,
        ];
      }
      slope = count * (x * value - before) / (x * x - 1);
      const change = value / slope;
      x -= change;
      if (Math.abs(change) < 1e-15) break;
    }
    points[i] = (1 - x) / 2;
    weights[i] = 1 / ((1 - x * x) * slope * slope);
  }
  return { points, weights };
}
