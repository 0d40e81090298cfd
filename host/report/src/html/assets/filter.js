// The filter: words that a case must all match. `s:` a status, `t:` a test, `seed:`; anything else is looked for in id and prompt;
// `!` in front turns a word round, "..." holds one with spaces together.

/** Words of `s:`: what fails is one of three. */
const GROUPS = { error: ["error", "fail"], changed: ["changed", "fail"] };

function parseFilter(query) {
  const words = query.matchAll(/(!?)(?:(s|t|seed):)?(?:"([^"]*)"|(\S+))/gi);
  return [...words].map(([, not, kind, quoted, plain]) => ({
    not: not === "!",
    kind: (kind ?? "").toLowerCase(),
    text: (quoted ?? plain).toLowerCase(),
  }));
}

function matchesWord(one, word) {
  switch (word.kind) {
    case "s": return [...(GROUPS[one.status] ?? [one.status]), marks.word(one)].some((name) => name.startsWith(word.text));
    case "t": return one.testName.toLowerCase().includes(word.text);
    case "seed": return one.seed === word.text;
    default: return one.text.includes(word.text);
  }
}

const matches = (one, words) => words.every((word) => matchesWord(one, word) !== word.not);

