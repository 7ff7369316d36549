/**
 * How the page of explained images looks, and what its slider does.
 *
 * @module
 */

/** Light and dark; narrow screens show one picture a row. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff;
  --card: #f6f6f4;
  --ink: #202020;
  --faint: #5c5c5c;
  --line: #d8d8d4;
  --right: #006837;
  --wrong: #b3141e;
  --bar: #7896be;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161618;
    --card: #202024;
    --ink: #ececec;
    --faint: #aaaaae;
    --line: #3a3a40;
    --right: #5fd39a;
    --wrong: #ff8a8a;
    --bar: #6f93c8;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 16px/1.45 system-ui, "DejaVu Sans", sans-serif;
}
header {
  position: sticky;
  top: 0;
  z-index: 2;
  display: flex;
  flex-wrap: wrap;
  gap: 4px 24px;
  align-items: center;
  justify-content: space-between;
  padding: 10px 16px;
  background: var(--paper);
  border-bottom: 1px solid var(--line);
}
h1 { margin: 0; font-size: 18px; font-weight: 600; }
h2 { margin: 0 0 8px; font-size: 17px; font-weight: 600; overflow-wrap: anywhere; }
h2.right { color: var(--right); }
h2.wrong { color: var(--wrong); }
.tools { display: flex; gap: 10px; align-items: center; }
.tools input { width: min(240px, 44vw); height: 28px; accent-color: var(--bar); }
.tools output { min-width: 4.5ch; font-variant-numeric: tabular-nums; }
main { display: grid; gap: 16px; padding: 16px; }
article {
  padding: 14px;
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 8px;
}
.row { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
figure { margin: 0; width: min(100%, max(var(--width), 200px), 360px); }
figcaption { margin-top: 4px; font-size: 14px; color: var(--faint); overflow-wrap: anywhere; }
small { display: block; font-size: 13px; }
.picture {
  position: relative;
  width: 100%;
  aspect-ratio: var(--shape);
  background: var(--plain) 0 0 / 100% 100%;
  overflow: hidden;
}
.map {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
  opacity: var(--alpha);
}
.box {
  position: absolute;
  border: 2px solid #00ffbe;
  box-shadow: inset 0 0 0 1px #000000;
}
.scale { display: flex; gap: 8px; align-items: center; color: var(--ink); }
.scale i { flex: 1; height: 10px; border: 1px solid var(--line); }
table { flex: 1 1 240px; max-width: 420px; border-collapse: collapse; font-size: 15px; }
caption { text-align: left; font-size: 14px; color: var(--faint); }
th { text-align: left; font-weight: 400; overflow-wrap: break-word; }
td { padding: 2px 0 2px 10px; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bar { width: 30%; }
.bar i { display: block; height: 8px; background: var(--bar); min-width: 1px; margin-right: auto; }
@media (max-width: 520px) {
  main { padding: 10px; }
  article { padding: 10px; }
  figure { width: 100%; }
  table { flex-basis: 100%; max-width: none; }
}
article p { margin: 10px 0 0; font-size: 14px; color: var(--faint); }
footer { padding: 0 16px 24px; font-size: 14px; color: var(--faint); overflow-wrap: anywhere; }
footer p { margin: 4px 0; }
:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }
`;

/** The slider says how much the colours cover. */
export const SCRIPT = `
const slider = document.getElementById("alpha");
slider.addEventListener("input", () => {
  document.documentElement.style.setProperty("--alpha", slider.value / 100);
  document.getElementById("share").value = slider.value + " %";
});
`;
