/** Colours, dashes and inks of curves: those of the server's plots, so that a value looks alike on both. */

const RAMP = {
  light: ["#0d0887", "#46039f", "#7201a8", "#9c179e", "#bd3786", "#d8576b", "#e3685f"],
  dark: ["#f0f921", "#fdca26", "#fb9f3a", "#ed7953", "#d8576b", "#c9457c"],
};
const NAMES = {
  light: ["#0072b2", "#d55e00", "#007a59", "#b4568a", "#a87000", "#2e86c1", "#000000"],
  dark: ["#56b4e9", "#e69f00", "#2cc295", "#f0e442", "#ff8a3d", "#e59ac4", "#ffffff"],
};
const DASHES = [
  [1, 0],
  [7, 3],
  [2, 2],
  [8, 3, 2, 3],
  [4, 2],
  [12, 3],
];

/** What is not data. */
export const INK = {
  light: { ink: "#1a1c20", faint: "#55595f", grid: "#e4e6ea" },
  dark: { ink: "#e8eaed", faint: "#a9aeb6", grid: "#2d3138" },
};

/** A colour for each of `values`: numbers along an ordered ramp, names from a distinct set. */
export function colours(values, theme) {
  const ordered = values.every((value) => typeof value === "number");
  return values.map((_, i) =>
    ordered ? onRamp(i, values.length, RAMP[theme]) : NAMES[theme][i % NAMES[theme].length],
  );
}

function onRamp(i, count, anchors) {
  const spot = (i * (anchors.length - 1)) / Math.max(count - 1, 1);
  const low = Math.floor(spot);
  return mixed(anchors[low], anchors[Math.min(low + 1, anchors.length - 1)], spot % 1);
}

function mixed(one, other, share) {
  const parts = [1, 3, 5].map((i) => [one, other].map((colour) => parseInt(colour.slice(i, i + 2), 16)));
  return `#${parts
    .map(([a, b]) =>
      Math.round(a + (b - a) * share)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

/** A dash for the i-th of several values: on and off, in pixels. */
export const dash = (i) => DASHES[i % DASHES.length];
