/** A share of one, such as `81.2 %`. */
export function percent(share) {
  return isNumber(share)
    ? `${(100 * share).toFixed(share < 0.1 ? 2 : 1)} %`
    : "–";
}

/** A number to a few digits. */
export function number(value) {
  if (!isNumber(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-5) return value.toExponential(2);
  return size >= 1000
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(4)));
}

/** A span of time, such as `1 h 02 min`. */
export function duration(seconds) {
  if (!isNumber(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60) % 60;
  const two = (value) => String(value).padStart(2, "0");
  if (whole < 3600) return `${minutes} min ${two(whole % 60)} s`;
  const hours = Math.floor(whole / 3600);
  return hours < 48
    ? `${hours} h ${two(minutes)} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A moment, in the reader's own time. */
export function moment(time) {
  const date = new Date(time ?? NaN);
  return Number.isNaN(date.getTime()) ? "–" : date.toLocaleString(undefined, {
    dateStyle: "medium",
    timeStyle: "short",
  });
}

/** Bytes, such as `4.2 MB`. */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB"];
  let value = count;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${units[unit]}`;
}

/** What a run is called. */
export function nameOf(run) {
  return run.name ?? run.id;
}

/** How a run stands, in words. */
export const STATES = {
  running: "training",
  finished: "finished",
  patience: "ended by patience",
  interrupted: "interrupted",
  diverged: "diverged",
  cut: "cut off",
  unlogged: "without a log",
  gone: "its folder is gone",
};

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}
