/**
 * How the page of an exam looks.
 *
 * @module
 */

/** Light and dark; tables scroll on narrow screens. */
export const EXAM_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fcfcfb;
  --card: #ffffff;
  --ink: #1d2126;
  --faint: #5d6570;
  --line: #dfe2e6;
  --bar: #dbe7f6;
  --best: #0b6b43;
  --good: #2166ac;
  --bad: #c2521b;
  --warn: #a32020;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a;
    --card: #1d2024;
    --ink: #eceef0;
    --faint: #a6adb6;
    --line: #363b42;
    --bar: #2a3c55;
    --best: #63d39f;
    --good: #7db4ec;
    --bad: #f0995f;
    --warn: #ff9090;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif;
}
header, main, footer { max-width: 1240px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
h1 { margin: 0; font-size: 24px; font-weight: 650; letter-spacing: -0.01em; }
h2 { margin: 0 0 4px; font-size: 17px; font-weight: 650; }
p { margin: 4px 0 12px; max-width: 78ch; }
.faint, figcaption, footer, dd { color: var(--faint); }
section {
  margin: 20px 0;
  padding: 18px 20px;
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 10px;
}
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap; }
thead th {
  font-weight: 600;
  font-size: 13px;
  color: var(--faint);
  border-bottom: 1px solid var(--line);
  vertical-align: bottom;
}
thead th:first-child, tbody th { text-align: left; }
tbody th { font-weight: 600; padding-left: 0; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tr.control > * { color: var(--faint); font-style: italic; font-weight: 400; }
.scores td {
  background: linear-gradient(90deg, var(--bar) var(--share, 0%), transparent var(--share, 0%))
    0 50% / 100% 70% no-repeat;
}
td.best { font-weight: 700; color: var(--best); }
td.marked { color: var(--warn); font-weight: 700; font-style: normal; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 14px 0 0; font-size: 14px; }
dt { font-weight: 600; }
dd { margin: 0; }
.many { display: grid; grid-template-columns: repeat(auto-fill, minmax(178px, 1fr)); gap: 16px; }
figure { margin: 0; }
figcaption { font-size: 13px; line-height: 1.35; overflow-wrap: anywhere; }
figcaption b { color: var(--ink); font-weight: 600; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--faint); font: 9px system-ui, "DejaVu Sans", sans-serif; }
.axis { stroke: var(--line); fill: none; }
.insertion { stroke: var(--good); }
.deletion { stroke: var(--bad); }
.curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.key::before {
  content: "";
  display: inline-block;
  width: 14px;
  height: 3px;
  margin: 0 5px 3px 0;
  border-radius: 2px;
  background: var(--key);
}
.agreement td { min-width: 52px; text-align: center; font-size: 13px; }
.agreement thead th { text-align: center; }
.sample { margin-top: 18px; }
.sample h3 { margin: 0 0 6px; font-size: 15px; font-weight: 600; }
.strip { display: flex; flex-wrap: wrap; gap: 10px; }
.strip figure { width: 128px; }
.picture { position: relative; width: 128px; }
.picture img { display: block; width: 100%; border-radius: 3px; }
.box { position: absolute; border: 2px solid #00e6ac; box-shadow: 0 0 0 1px #0008, inset 0 0 0 1px #0008; }
.dot {
  position: absolute;
  width: 10px;
  height: 10px;
  margin: -5px;
  border: 2px solid #fff;
  border-radius: 50%;
  background: #00b386;
  box-shadow: 0 0 0 1px #000a;
}
.dot.miss { background: #e02020; }
.hit { color: var(--best); }
.miss { color: var(--warn); }
footer { padding-bottom: 32px; font-size: 13px; overflow-wrap: anywhere; }
`;
