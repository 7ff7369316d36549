import { canvasOf, fill } from "../image/_canvas.ts";
import { drawText, textWidth } from "../image/_text.ts";
import type { Image } from "../image/image.ts";
import type { LearningRateCurve } from "./find_learning_rate.ts";

const WIDTH = 800, HEIGHT = 500, SIZE = 16;
const LEFT = 80, RIGHT = 30, TOP = 40, BOTTOM = 70;

const BLACK = [0, 0, 0] as const;
const GREY = [222, 222, 222] as const;
const LINE = [31, 91, 168] as const;
const MARK = [200, 50, 30] as const;

/**
 * Draws the loss over learning rates, which have a logarithmic scale, and marks
 * the one that is suggested.
 *
 * @returns An RGB image of 800 x 500 pixels.
 */
export function learningRateChart(
  { points, suggestion }: LearningRateCurve,
): Image {
  const canvas = canvasOf(HEIGHT, WIDTH);
  const logs = points.map(({ rate }) => Math.log10(rate));
  const losses = points.map(({ loss }) => loss);
  const first = logs[0]!, last = Math.max(logs.at(-1)!, first + 1e-9);
  // Where it diverges the curve is as high as a wall.
  const least = Math.min(...losses);
  const start = losses[0]!;
  const top = Math.min(Math.max(...losses), start + 2 * (start - least) + 0.1);
  const span = Math.max(top - least, 1e-9);
  const x = (log: number) =>
    Math.round(LEFT + (WIDTH - LEFT - RIGHT) * (log - first) / (last - first));
  const y = (loss: number) =>
    Math.round(
      TOP + (HEIGHT - TOP - BOTTOM) *
          Math.min(1, Math.max(0, (top - loss) / span)),
    );
  const down = { y: TOP, width: 1, height: HEIGHT - TOP - BOTTOM };
  for (let power = Math.ceil(first); power <= Math.floor(last); power++) {
    fill(canvas, { x: x(power), ...down }, GREY);
    const text = powerText(power);
    const width = textWidth(text, SIZE);
    drawText(canvas, text, {
      x: x(power) - Math.floor(width / 2),
      y: HEIGHT - BOTTOM + 8,
      size: SIZE,
    });
  }
  for (let part = 0; part <= 4; part++) {
    const loss = least + span * part / 4;
    const across = { x: LEFT, width: WIDTH - LEFT - RIGHT, height: 1 };
    fill(canvas, { y: y(loss), ...across }, GREY);
    const text = loss.toPrecision(3);
    drawText(canvas, text, {
      x: LEFT - 8 - textWidth(text, SIZE),
      y: y(loss) - SIZE / 2,
      size: SIZE,
    });
  }
  const place = Math.log10(suggestion);
  fill(canvas, { x: x(place), ...down, width: 2 }, MARK);
  for (let i = 1; i < points.length; i++) {
    const from = { x: x(logs[i - 1]!), y: y(losses[i - 1]!) };
    drawLine(canvas, from, { x: x(logs[i]!), y: y(losses[i]!) });
  }
  drawText(canvas, `suggestion: ${suggestion.toPrecision(2)}`, {
    x: Math.min(x(place) + 8, WIDTH - 200),
    y: TOP + 4,
    size: SIZE,
    colour: MARK,
  });
  drawText(canvas, "loss", { x: 8, y: 8, size: SIZE });
  const title = "learning rate";
  drawText(canvas, title, {
    x: WIDTH - RIGHT - textWidth(title, SIZE),
    y: HEIGHT - 32,
    size: SIZE,
    colour: BLACK,
  });
  return canvas;
}

/** A line of squares of three pixels: steep ones have no gaps. */
function drawLine(
  canvas: ReturnType<typeof canvasOf>,
  from: { x: number; y: number },
  to: { x: number; y: number },
): void {
  const steps = Math.max(1, Math.abs(to.x - from.x), Math.abs(to.y - from.y));
  for (let i = 0; i <= steps; i++) {
    fill(canvas, {
      x: Math.round(from.x + (to.x - from.x) * i / steps) - 1,
      y: Math.round(from.y + (to.y - from.y) * i / steps) - 1,
      width: 3,
      height: 3,
    }, LINE);
  }
}

function powerText(power: number): string {
  return power >= -3 && power <= 3
    ? String(Number(`1e${power}`))
    : `1e${power}`;
}
