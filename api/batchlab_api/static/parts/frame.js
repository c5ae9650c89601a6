/** What every page has: where to go, how the server is, light or dark, and a banner while the server is away. */

import { fill, h, say, svg } from "../base/dom.js";
import { get } from "../base/api.js";
import { link } from "../base/address.js";
import { instant } from "../base/format.js";
import { poll } from "../base/poll.js";
import * as theme from "./theme.js";
import { showKeys } from "./keys.js";

const PLACES = [
  ["Experiments", ["experiments"], "M3 12.5V9M7 12.5V3.5M11 12.5V6.5M14.5 12.5h-13"],
  ["Studies", ["studies"], "M2.5 3h4.5q1 0 1 1v9.5q0-1-1-1H2.5zM13.5 3H9q-1 0-1 1v9.5q0-1 1-1h4.5z"],
  ["New", ["new"], "M8 3v10M3 8h10"],
  ["System", ["workers"], "M3 3h10v4H3zM3 9h10v4H3zM5 5h.1M5 11h.1"],
];
const HEALTH_SECONDS = 15;
const THEMES = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" };

/** Fill the rail and begin to watch the server. */
export function begin(rail) {
  const links = PLACES.map(place);
  const health = healthDot();
  fill(
    rail,
    brand(),
    h(
      "nav",
      { "aria-label": "Pages" },
      links.map(({ node }) => node),
    ),
    foot(health.node),
  );
  window.addEventListener("navigated", ({ detail }) => links.forEach((entry) => entry.update(detail.path)));
  document.body.prepend(awayBanner());
  poll(health.ask, HEALTH_SECONDS, () => undefined);
}

const brand = () =>
  h(
    "a.brand",
    { href: "#/experiments" },
    h("img", { src: "/static/icon.svg", alt: "", width: 26, height: 26 }),
    "batchlab",
  );

function place([name, path, d]) {
  const node = h("a", {}, icon(d), h("span", {}, name));
  return {
    node,
    update(now) {
      node.href = link(path);
      const isHere = (now[0] ?? "experiments") === path[0];
      isHere ? node.setAttribute("aria-current", "page") : node.removeAttribute("aria-current");
    },
  };
}

const icon = (d) => svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" }, svg("path", { d }));

function foot(health) {
  const toggle = h("button.quiet", { type: "button", onclick: () => name(theme.next()) });
  const name = (choice) => fill(toggle, icon(SUN), h("span", {}, THEMES[choice]));
  name(theme.choice());
  window.addEventListener("navigated", () => name(theme.choice()));
  const keys = h("button.quiet", { type: "button", onclick: showKeys }, icon(KEYS), h("span", {}, "Keys"));
  return h("div.foot", {}, health, toggle, keys);
}

const SUN =
  "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1";
const KEYS = "M2 4h12v8H2zM5 10h6M4.5 7h.1M7 7h.1M9.5 7h.1M11.8 7h.1";

function healthDot() {
  const text = h("span", {}, "…");
  const node = h("a.health", { href: "#/workers" }, h("i.dot"), text);
  const show = (state, words, detail) => {
    node.dataset.state = state;
    node.title = detail;
    say(text, words);
  };
  return { node, ask: (signal) => askHealth(show, signal) };
}

async function askHealth(show, signal) {
  try {
    const { parts } = await get("/health/ready", { signal });
    show("ok", "Ready", Object.keys(parts ?? {}).join(", "));
  } catch (error) {
    if (signal.aborted || error.status === 401) return;
    error.status ? show("degraded", "Degraded", error.message) : show("away", "Not reached", error.message);
    throw error;
  }
}

function awayBanner() {
  const text = h("span");
  const node = h("div.away", { role: "alert", hidden: true }, text);
  window.addEventListener("unreached", () => {
    if (node.hidden)
      say(
        text,
        `The server has not been reached since ${instant(new Date().toISOString()).slice(11)}. ` +
          "What you see is what it said last; this page keeps trying.",
      );
    node.hidden = false;
  });
  window.addEventListener("reached", () => (node.hidden = true));
  return node;
}
