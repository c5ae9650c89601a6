/** Begins: theme, frame, keys, and the page that the address names. */

import { start } from "./base/router.js";
import * as frame from "./parts/frame.js";
import * as keys from "./parts/keys.js";
import * as login from "./parts/login.js";
import * as menus from "./parts/menu.js";
import * as theme from "./parts/theme.js";
import { comparePage } from "./compare/page.js";
import { experimentPage } from "./pages/experiment.js";
import { experimentsPage } from "./pages/experiments.js";
import { lostPage } from "./pages/lost.js";
import { newPage } from "./pages/new.js";
import { studiesPage } from "./pages/studies.js";
import { studyPage } from "./pages/study.js";
import { workersPage } from "./pages/workers.js";

const only = (name) => (path) => path.length === 1 && path[0] === name;
const whole = (path) => path[0];
const withId = (path) => path.slice(0, 2).join("/");

const ROUTES = [
  { matches: (path) => path.length === 0, key: () => "experiments", page: experimentsPage },
  { matches: only("experiments"), key: whole, page: experimentsPage },
  { matches: (path) => path[0] === "experiments", key: withId, page: experimentPage },
  { matches: only("studies"), key: whole, page: studiesPage },
  { matches: (path) => path[0] === "studies" && path.length === 2, key: withId, page: studyPage },
  { matches: only("compare"), key: whole, page: comparePage },
  { matches: only("new"), key: whole, page: newPage },
  { matches: only("workers"), key: whole, page: workersPage },
  { matches: () => true, key: (path) => path.join("/"), page: lostPage },
];

theme.begin();
login.begin();
keys.begin();
menus.begin();
frame.begin(document.querySelector(".rail"));
start(document.querySelector("main"), ROUTES);
