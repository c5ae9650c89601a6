/** What the data say of an experiment's claims: a card each, with the effect that was measured and what it had to beat. */

import { apiPath, link } from "../base/address.js";
import { get, send } from "../base/api.js";
import { fill, h, svg } from "../base/dom.js";
import { fixed, number, plural } from "../base/format.js";
import { paced } from "../base/paced.js";
import { effectPicture } from "../parts/effect.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";
import { complain, toast } from "../parts/toast.js";

const LEAST_SECONDS = 5;
const ICONS = {
  supported: "M3 8.5l3.5 3.5L13 4.5",
  contradicted: "M4 4l8 8M12 4l-8 8",
  inconclusive: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.8-1.1 1.6M8 12.4v.2",
};
const ORDER = Object.keys(ICONS);

export function verdictsTab(experiment) {
  const abort = new AbortController();
  const tab = { experiment, shown: null, signal: abort.signal, body: h("div.verdicts", {}, skeleton(6)) };
  tab.pace = paced(() => refresh(tab), LEAST_SECONDS);
  tab.pace.ask();
  return {
    node: tab.body,
    update: () => undefined,
    changed: (now) => ((tab.experiment = now), tab.pace.ask()),
    dispose: () => (abort.abort(), tab.pace.stop()),
  };
}

async function refresh(tab) {
  try {
    const found = await get(apiPath(["experiments", tab.experiment.id, "verdicts"]), { signal: tab.signal });
    if (found === tab.shown) return;
    tab.shown = found;
    fill(tab.body, found.claims.length ? [heading(found), found.claims.map((claim) => card(tab, claim))] : none());
  } catch (error) {
    if (!tab.signal.aborted && !tab.shown) fill(tab.body, problemCard(error, tab.pace.now));
  }
}

const none = () =>
  emptyCard(
    "No claim to judge",
    "An experiment started from a study is held against what its source says; a spec may make claims of its own.",
    h("a.button", { href: link(["studies"]) }, "Choose a study"),
  );

function heading({ claims, preliminary }) {
  const counts = ORDER.map((verdict) => [verdict, claims.filter((claim) => claim.verdict === verdict).length]);
  const words = counts.filter(([, count]) => count).map(([verdict, count]) => `${count} ${verdict}`);
  const early = preliminary ? " Preliminary: cells are still to come." : "";
  return h("p.faint.tally", { role: "status" }, `${plural(claims.length, "claim")}: ${words.join(", ")}.${early}`);
}

function card(tab, claim) {
  return h(
    "article.card.verdict",
    { dataset: { verdict: claim.verdict }, id: claim.id },
    h("div.heading", {}, chip(claim.verdict), h("span.faint.source", {}, claim.source || claim.id)),
    h("p.claimtext", {}, claim.text),
    effectPicture(claim),
    h("p.reason", {}, claim.reason),
    h("p.faint.small", {}, evidence(claim)),
    h("details", {}, h("summary", {}, "How it was tested"), h("p.small", {}, claim.test), leftOut(claim)),
    h("p.actions", {}, cellsLink(tab, claim), moreSeeds(tab, claim)),
  );
}

/** Icon and word, so that a verdict is known without its colour. */
const chip = (verdict) =>
  h(
    "span.verdictchip",
    { dataset: { verdict } },
    svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" }, svg("path", { d: ICONS[verdict] })),
    verdict,
  );

function evidence({ n, effect, ci95, p_holm: p, hedges_g: g }) {
  const parts = [plural(n, "seed")];
  if (effect !== null) parts.push(`effect ${fixed(effect, 3)}`);
  if (ci95) parts.push(`95 % interval ${fixed(ci95[0], 3)} to ${fixed(ci95[1], 3)}`);
  if (p !== null) parts.push(`p ${p < 0.001 ? "< 0.001" : number(p, 2)} (Holm)`);
  if (g !== null) parts.push(`g ${number(g, 2)}`);
  return parts.join(" · ");
}

const leftOut = ({ left_out: out }) =>
  out && Object.keys(out).length
    ? h("p.small", {}, `Left out: ${Object.entries(out).map(([why, count]) => `${count} ${why}`).join(", ")}.`)
    : null;

function cellsLink({ experiment }, { cells }) {
  if (!cells.length) return null;
  return h("a", { href: link(["experiments", experiment.id, "cells"]) }, `The ${plural(cells.length, "cell")} behind it`);
}

/** A button that adds as many seeds as would probably decide the claim. */
function moreSeeds(tab, { verdict, n, seeds_needed: needed }) {
  const add = Math.ceil((needed ?? 0) - n);
  if (verdict !== "inconclusive" || add < 1) return null;
  const button = h("button", { type: "button" }, `Add ${plural(add, "seed")}`);
  button.title = `${needed} seeds would show the smallest effect that matters four times in five`;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await send("POST", apiPath(["experiments", tab.experiment.id, "seeds"]), { body: { add } });
      toast(`${plural(add, "seed")} added to every point`);
    } catch (error) {
      button.disabled = false;
      complain(error);
    }
  });
  return button;
}
