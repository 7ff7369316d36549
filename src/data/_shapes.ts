/**
 * Whether a point is inside a shape of about unit radius around the origin;
 * `x` to the right, `y` down.
 */
export type Inside = (x: number, y: number) => boolean;

// Math.hypot guards against overflow, at a price that every pixel would pay.
function squared(x: number, y: number): number {
  return x * x + y * y;
}

// The five edges of a pentagram with points at unit distance: normals, and
// their distance from the centre.
const STAR_NORMALS = Array.from({ length: 5 }, (_, i) => {
  const angle = Math.PI / 2 + i * 2 * Math.PI / 5;
  return [Math.cos(angle), Math.sin(angle)] as const;
});
const STAR_EDGE = Math.cos(2 * Math.PI / 5);

function star(x: number, y: number): boolean {
  // Beyond one edge is a point of the star, beyond two is outside.
  let beyond = 0;
  for (let i = 0; i < 5; i++) {
    const [nx, ny] = STAR_NORMALS[i]!;
    if (nx * x + ny * y > STAR_EDGE && ++beyond > 1) return false;
  }
  return true;
}

function between(value: number, low: number, high: number): boolean {
  return value > low && value < high;
}

/** The shapes by the names of their classes. */
export const SHAPES: Readonly<Record<string, Inside>> = {
  disc: (x, y) => squared(x, y) < 0.64,
  ring: (x, y) => between(squared(x, y), 0.3, 0.81),
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.7,
  frame: (x, y) => between(Math.max(Math.abs(x), Math.abs(y)), 0.5, 0.8),
  triangle: (x, y) => y < 0.6 && y > 1.9 * Math.abs(x) - 1,
  cross: (x, y) => {
    const across = Math.abs(x), down = Math.abs(y);
    return Math.min(across, down) < 0.25 && Math.max(across, down) < 0.9;
  },
  star,
  crescent: (x, y) => squared(x, y) < 0.81 && squared(x - 0.45, y) > 0.49,
  bars: (x, y) => Math.abs(y) < 0.85 && between(Math.abs(x), 0.26, 0.57),
  dots: (x, y) => squared(Math.abs(x) - 0.5, Math.abs(y) - 0.5) < 0.1156,
};

/** No shape reaches further from its centre than this (the triangle's corners). */
export const REACH = 1.2;
