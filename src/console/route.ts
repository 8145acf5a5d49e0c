/** Where the page is: `#/agents/shop/planner?against=…`. */
export type Route = { readonly path: readonly string[]; readonly search: URLSearchParams }

export function readRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  return { path: path.split('/').filter(Boolean).map(decode), search: new URLSearchParams(search) }
}

export function href(path: readonly string[], search: Readonly<Record<string, string>> = {}): string {
  const entries = Object.entries(search).filter(([, value]) => value !== '')
  const asked = entries.length === 0 ? '' : `?${new URLSearchParams(entries)}`
  return `#/${path.map(encodeURIComponent).join('/')}${asked}`
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
