/** A small language for choosing rows: `batch_size>=32 lr<1 variant=linear`. Every condition must hold. */

const CONDITION = /^([\w./-]+?)(<=|>=|!=|<|>|=|~)(.+)$/;
const HOLDS = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "~": (a, b) => String(a).toLowerCase().includes(String(b).toLowerCase()),
};

/** { keep(group), fault }: `fault` says what of the text is no condition. */
export function matcher(text) {
  const words = text.split(/\s+/).filter(Boolean);
  const conditions = words.map((word) => word.match(CONDITION));
  const wrong = words.find((_, i) => !conditions[i]);
  const good = conditions.filter(Boolean).map(([, name, sign, value]) => ({ name, sign, value: typed(value) }));
  return {
    keep: (group) => good.every(({ name, sign, value }) => HOLDS[sign](read(group, name), value)),
    fault: wrong ? `“${wrong}” is no condition: write batch_size>=32` : "",
  };
}

const typed = (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

const read = (group, name) => (name in group.by ? group.by[name] : (group[name]?.mean ?? group[name]));
