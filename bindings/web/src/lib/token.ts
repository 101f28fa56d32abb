// The token comes once in the fragment of the URL that the server prints, which no server and no
// log sees, and is traded for a cookie that scripts can't read.

import { api } from './api';

export async function watchTokens(): Promise<void> {
  await trade();
  addEventListener('hashchange', () => void trade().then((traded) => traded && location.reload()));
}

async function trade(): Promise<boolean> {
  const token = new URLSearchParams(location.hash.slice(1)).get('t');
  if (!token) return false;
  history.replaceState(null, '', location.pathname + location.search);
  // A token that is refused shows at the first request, as one that lacks does.
  return api.signIn(token).then(() => true, () => false);
}
