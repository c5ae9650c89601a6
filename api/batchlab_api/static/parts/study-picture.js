/** What a study's first plot looks like: a small picture of measured data, in the page's theme. */

import { h } from "../base/dom.js";
import { shown } from "./theme.js";

/** An image that changes with the theme; null for a study of which none has been drawn. */
export function studyPicture(study) {
  const address = study.links.picture;
  if (!address) return h("div.picture.none", { "aria-hidden": "true" }, h("span.faint", {}, "not drawn yet"));
  const image = h("img.picture", { alt: "", loading: "lazy", width: "480", height: "240" });
  const draw = () => image.setAttribute("src", `${address}?theme=${shown()}`);
  draw();
  const turned = () => (image.isConnected ? draw() : window.removeEventListener("theme", turned));
  window.addEventListener("theme", turned);
  return image;
}
