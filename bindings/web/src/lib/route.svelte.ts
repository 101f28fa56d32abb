// Where the page is: everything that is shown follows from the URL.

export interface Route {
  view: string;
  /** What the view is of: a session's or an event's id. */
  id: string;
  params: URLSearchParams;
}

let current = $state.raw<Route>(read());

export const route = {
  get view() { return current.view; },
  get id() { return current.id; },
  param(key: string): string { return current.params.get(key) ?? ''; },
};

/** Goes to a URL of the page. */
export function go(href: string, replace = false): void {
  const here = location.pathname + location.search;
  if (href === here) return;
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  current = read();
}

/** Changes parameters of the URL; those that are empty are dropped. */
export function setParams(changes: Record<string, string | null>, replace = true): void {
  const params = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(changes)) {
    if (value) params.set(key, value);
    else params.delete(key);
  }
  const text = params.toString();
  go(location.pathname + (text ? `?${text}` : ''), replace);
}

/** Follows links within the page without loading it anew. */
export function watchLinks(): () => void {
  const onPop = () => { current = read(); };
  const onClick = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest('a');
    if (!link || link.target || link.hasAttribute('download')) return;
    const url = new URL(link.href, location.href);
    if (url.origin !== location.origin || url.pathname.startsWith('/api/')) return;
    event.preventDefault();
    go(url.pathname + url.search);
  };
  addEventListener('popstate', onPop);
  document.addEventListener('click', onClick);
  return () => {
    removeEventListener('popstate', onPop);
    document.removeEventListener('click', onClick);
  };
}

export const href = {
  session: (id: string, params: Record<string, string> = {}) => `/s/${encodeURIComponent(id)}${tail(params)}`,
  event: (id: string) => `/e/${encodeURIComponent(id)}`,
  view: (view: string, params: Record<string, string> = {}) => `/${view}${tail(params)}`,
};

function tail(params: Record<string, string>): string {
  const text = new URLSearchParams(params).toString();
  return text ? `?${text}` : '';
}

function read(): Route {
  const [, first = '', rest = ''] = location.pathname.split('/', 3);
  const params = new URLSearchParams(location.search);
  const view = { s: 'session', e: 'why', '': 'sessions' }[first] ?? first;
  return { view, id: decoded(rest), params };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
