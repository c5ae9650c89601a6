/** What differs between the cells of an experiment: it names lines, columns and colours. */

const NAMES = { variant: "variant", batch_size: "batch", lr: "lr", momentum: "momentum", seed: "seed" };

/** An axis's value at a cell, group or series. */
export const valueAt = (point, axis) => (axis in NAMES ? point[axis] : point.params?.[axis]);

/** How an axis is called in text. */
export const nameOf = (axis) => NAMES[axis] ?? axis;

/**
 * The axes in which `cells` differ, seed last: [{ axis, values }], values in order. An axis that the ones before it
 * determine (a learning rate that follows from the batch size) does not count: it says nothing more.
 */
export function differing(cells) {
  const extra = [...new Set(cells.flatMap((cell) => Object.keys(cell.params ?? {})))].sort();
  const found = [];
  for (const axis of ["variant", "batch_size", "lr", "momentum", ...extra, "seed"]) {
    const values = [...new Set(cells.map((cell) => valueAt(cell, axis)))];
    if (values.length < 2 || (axis !== "seed" && determined(cells, found, axis))) continue;
    found.push({ axis, values: values.sort(inOrder) });
  }
  return found;
}

/** The axes that differ within one or another of several lists of cells: what tells the points of each apart. */
export function differingWithin(lists) {
  const found = new Map(lists.flatMap((cells) => differing(cells)).map((axis) => [axis.axis, axis]));
  return [...found.values()];
}

function determined(cells, axes, axis) {
  const seen = new Map();
  return cells.every((cell) => {
    const key = axes.map((other) => valueAt(cell, other.axis)).join("\n");
    if (!seen.has(key)) seen.set(key, valueAt(cell, axis));
    return seen.get(key) === valueAt(cell, axis);
  });
}

const inOrder = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1);

/** "batch 32 · lr 0.5": what sets a point apart. */
export const labelOf = (point, axes) =>
  known(point, axes)
    .map(({ axis }) => (axis === "variant" ? point.variant : `${nameOf(axis)} ${valueAt(point, axis)}`))
    .join(" · ");

/** "32 · 0.5": the same below a heading that names the axes. */
export const valuesOf = (point, axes) =>
  known(point, axes)
    .map(({ axis }) => valueAt(point, axis))
    .join(" · ");

const known = (point, axes) =>
  axes.filter(({ axis }) => valueAt(point, axis) !== null && valueAt(point, axis) !== undefined);
