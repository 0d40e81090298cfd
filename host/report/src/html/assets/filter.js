// The filter: words that a case must all match. `s:` a status or what comes of it, `is:` exactly a status, `t:` a test, `seed:`;
// anything else is looked for in id and prompt;
// `!` in front turns a word round, "..." holds one with spaces together.

/** Words of `s:`: what makes a test fail also is a failure, be it an error, an image that nobody has accepted, or a test that failed as a whole. */
function wordsOf(one) {
  if (["error", "changed", "new"].includes(one.status)) return [one.status, "fail"];
  return one.status === "together" ? ["together", one.verdict] : [one.status];
}

function parseFilter(query) {
  const words = query.matchAll(/(!?)(?:(s|is|t|seed):)?(?:"([^"]*)"|(\S+))/gi);
  return [...words].map(([, not, kind, quoted, plain]) => ({
    not: not === "!",
    kind: (kind ?? "").toLowerCase(),
    text: (quoted ?? plain).toLowerCase(),
  }));
}

function matchesWord(one, word) {
  switch (word.kind) {
    case "s": return [...wordsOf(one), marks.word(one)].some((name) => name.startsWith(word.text));
    case "is": return one.status === word.text;
    case "t": return one.testName.toLowerCase().includes(word.text);
    case "seed": return one.seed === word.text;
    default: return one.text.includes(word.text);
  }
}

const matches = (one, words) => words.every((word) => matchesWord(one, word) !== word.not);

