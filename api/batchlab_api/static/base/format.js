/** Numbers and times as text: the same everywhere, whatever the browser's language. */

const MINUS = "\u2212";
const THIN = "\u202f";

/** Four significant digits, a true minus, powers of ten for the very large and small; "–" for what is no number. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return signed(String(size), value);
  if (size >= 1e6 || size < 1e-4) return signed(scientific(size, digits), value);
  return signed(String(Number(size.toPrecision(digits))), value);
}

/** As `number`, with closing zeros, so that a column of them lines up. */
export function fixed(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e6 || size < 1e-4) return signed(scientific(size, digits), value);
  return signed(size.toPrecision(digits), value);
}

function scientific(size, digits) {
  const [mantissa, exponent] = size.toExponential(digits - 1).split("e");
  return `${Number(mantissa)}e${exponent.replace("+", "").replace("-", MINUS)}`;
}

const signed = (text, value) => (value < 0 ? MINUS + text : text);

/** A whole number in groups of three. */
export const count = (value) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, THIN);

/** "1 cell", "2 cells". */
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

/** A mean with the half width of its interval, rounded to where the interval begins to matter. */
export function estimate({ mean, ci95 }) {
  const half = ci95 ? (ci95[1] - ci95[0]) / 2 : 0;
  if (mean === null || !(half > 0)) return fixed(mean);
  if (Math.abs(mean) < 1e-4 || Math.abs(mean) >= 1e6) return `${fixed(mean)} ± ${fixed(half, 2)}`;
  const places = Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(half))));
  return `${signed(Math.abs(mean).toFixed(places), mean)} ± ${half.toFixed(places)}`;
}

const TIMES = [
  [1, "s"],
  [1e-3, "ms"],
  [1e-6, "µs"],
];

/** An estimate in seconds, in the unit that suits it: "83.2 ± 0.4 µs". */
export function estimatedTime({ mean, ci95 }) {
  if (mean === null) return "–";
  const [size, unit] = TIMES.find(([least]) => mean >= least) ?? TIMES.at(-1);
  return `${estimate({ mean: mean / size, ci95: ci95 && ci95.map((end) => end / size) })} ${unit}`;
}

const SPANS = [
  [86400, "d", 3600, "h"],
  [3600, "h", 60, "min"],
  [60, "min", 1, "s"],
];

/** A duration in its two largest units: "2 h 05 min", "41 s". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  for (const [large, big, small, little] of SPANS) {
    if (Math.round(seconds) < large) continue;
    const rest = Math.round((seconds % large) / small) % (large / small);
    return rest ? `${Math.floor(seconds / large)} ${big} ${rest} ${little}` : `${Math.floor(seconds / large)} ${big}`;
  }
  return seconds < 1 ? "< 1 s" : `${Math.round(seconds)} s`;
}

/** A size in decimal units. */
export function bytes(size) {
  const unit = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(size, 1)) / 3)));
  return `${number(size / 1000 ** unit, 3)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** Time since an ISO instant, in its largest unit: "4 s ago", "2 d ago". */
export function ago(iso, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  return seconds < 3 ? "just now" : `${duration(seconds).split(" ").slice(0, 2).join(" ")} ago`;
}

/** An ISO instant as the reader's date and time of day, always in the same order. */
export function instant(iso) {
  const at = new Date(iso);
  const two = (value) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** A share as whole per cents; 100 only when all is done. */
export const percent = (share) => `${Math.min(share < 1 ? 99 : 100, Math.floor(share * 100 + 1e-9))} %`;
