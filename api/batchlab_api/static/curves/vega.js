/** Charts by Vega-Lite, from the bundle that the server ships; loaded when the first chart is needed. */

const ERRORS = 1;
let loading = null;

/** vega-embed, loaded once. */
function embedder() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/vega.js";
    script.onload = () => resolve(window.vegaEmbed);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error("the chart library could not be loaded"));
    };
    document.head.append(script);
  });
  return loading;
}

/** Draw `spec` into `box`; the security policy forbids eval, so expressions are interpreted. */
export async function draw(box, spec, options = {}) {
  const embed = await embedder();
  return embed(box, spec, {
    ast: true,
    actions: false,
    renderer: "canvas",
    tooltip: false,
    logLevel: ERRORS,
    ...options,
  });
}

/** A chart that is built once for each structure, and otherwise only given new data. */
export class LiveChart {
  constructor(box) {
    this.box = box;
    this.key = "";
    this.result = null;
    this.turn = Promise.resolve();
  }

  /** Show data and parameters on the structure that `spec()` makes; `key` names that structure. One after the other. */
  show(key, spec, data, params) {
    this.turn = this.turn.then(async () => {
      if (this.closed) return;
      if (key !== this.key) await this.build(key, spec(this.size()), data, params);
      else await this.change(data, params);
    });
    return this.turn;
  }

  size() {
    const { width, height } = this.box.getBoundingClientRect();
    return { width: Math.max(200, Math.floor(width)), height: Math.max(120, Math.floor(height)) };
  }

  /** The old picture stays until the new one is drawn. */
  async build(key, spec, data, params) {
    const fresh = document.createElement("div");
    const datasets = { ...spec.datasets, ...data };
    const filled = {
      ...spec,
      datasets,
      params: spec.params.map((p) => (p.name in params ? { ...p, value: params[p.name] } : p)),
    };
    const result = await draw(fresh, filled);
    this.result?.finalize();
    this.box.replaceChildren(fresh);
    this.result = result;
    this.key = key;
  }

  async change(data, params) {
    const { view } = this.result;
    Object.entries(params).forEach(([name, value]) => view.signal(name, value));
    Object.entries(data).forEach(([name, rows]) => view.data(name, rows));
    await view.runAsync();
  }

  /** Set one parameter, if there is a picture. */
  set(name, value) {
    this.turn = this.turn.then(() => this.result?.view.signal(name, value).runAsync());
  }

  /** Take the box's present size. */
  resize() {
    const { width } = this.size();
    this.turn = this.turn.then(() => this.result?.view.width(width).runAsync());
  }

  /** The plotting area within the box, and its scales; null before the first picture. */
  plane() {
    if (!this.result) return null;
    const { view } = this.result;
    const [[x, y], padding] = [view.origin(), view.padding()];
    const scale = (name) => view.scale(name);
    const [[x0, x1], [y1, y0]] = [scale("x").range(), scale("y").range()];
    return {
      left: x + padding.left,
      top: y + padding.top,
      width: x1 - x0,
      height: y1 - y0,
      x: scale("x"),
      y: scale("y"),
    };
  }

  close() {
    this.closed = true;
    this.result?.finalize();
  }
}
