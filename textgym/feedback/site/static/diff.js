// Which words of two texts differ: a longest common subsequence over words, in plain arrays.
"use strict";

const MOST_WORDS = 1500; // beyond that a table of n × m would be felt

function words(text) {
  return text.match(/\s+|[\p{L}\p{N}]+(?:[.,’'-][\p{L}\p{N}]+)*|[^\s\p{L}\p{N}]/gu) || [];
}

// Pieces {text, same} of both texts; null where they are too long or share too little to be worth marking.
function compareTexts(a, b) {
  const left = words(a), right = words(b);
  if (left.length > MOST_WORDS || right.length > MOST_WORDS) return null;
  const width = right.length + 1;
  const best = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--)
    for (let j = right.length - 1; j >= 0; j--)
      best[i * width + j] = left[i] === right[j]
        ? best[(i + 1) * width + j + 1] + 1
        : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
  const isLeft = new Array(left.length).fill(false), isRight = new Array(right.length).fill(false);
  for (let i = 0, j = 0; i < left.length && j < right.length;) {
    if (left[i] === right[j]) { isLeft[i++] = true; isRight[j++] = true; }
    else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++;
    else j++;
  }
  const shared = best[0] / Math.max(1, Math.min(left.length, right.length));
  return { shared, left: pieces(left, isLeft), right: pieces(right, isRight) };
}

function pieces(parts, same) {
  const joined = [];
  parts.forEach((text, i) => {
    const isSame = same[i] || !text.trim();
    const last = joined[joined.length - 1];
    if (last && last.same === isSame) last.text += text;
    else joined.push({ text, same: isSame });
  });
  return joined;
}
