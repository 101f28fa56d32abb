export interface Piece {
  kind: 'text' | 'block' | 'code' | 'strong';
  text: string;
}

const fence = /^```[^\n]*\n([\s\S]*?)(?:^```[^\S\n]*$|$(?![\s\S]))/gm;
const inline = /`([^`\n]{1,200})`|\*\*([^*\n]{1,200})\*\*|^#{1,4} ([^\n]{1,200})$/gm;

/** A text in pieces: fenced blocks, words of code, words that stand out. Nothing is taken for
 * markup: each piece is shown as text. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const found of text.matchAll(fence)) {
    if (found.index > at) words(text.slice(at, found.index).replace(/\n+$/, '\n'), pieces);
    pieces.push({ kind: 'block', text: (found[1] ?? '').replace(/\n$/, '') });
    at = found.index + found[0].length;
    while (text[at] === '\n') at += 1;
  }
  words(text.slice(at), pieces);
  return pieces;
}

function words(text: string, pieces: Piece[]): void {
  let at = 0;
  for (const found of text.matchAll(inline)) {
    if (found.index > at) pieces.push({ kind: 'text', text: text.slice(at, found.index) });
    const [, code, strong, heading] = found;
    if (code !== undefined) pieces.push({ kind: 'code', text: code });
    else pieces.push({ kind: 'strong', text: strong ?? heading ?? '' });
    at = found.index + found[0].length;
  }
  if (at < text.length) pieces.push({ kind: 'text', text: text.slice(at) });
}
