const KEY = 'remit-console-marker'
/** What is sent in its place while nobody is signed in. */
export const NO_MARKER = '1'

/*
 * The half of a session that is no cookie. Another port of this host is sent the cookie, but is another origin and so
 * cannot read this. Kept where a reload and other tabs find it, and read once: a tab never acts by a session other than
 * the one it shows.
 */
let marker = localStorage.getItem(KEY) ?? NO_MARKER

export function hasMarker(): boolean {
  return marker !== NO_MARKER
}

/** The value of `X-Remit-Console`. */
export function markerHeader(): string {
  return marker
}

export function keepMarker(answered: string): void {
  marker = answered
  localStorage.setItem(KEY, answered)
}

/** The session is over for this tab. What a later sign-in in another tab has kept stays. */
export function forgetMarker(): void {
  if (localStorage.getItem(KEY) === marker) localStorage.removeItem(KEY)
  marker = NO_MARKER
}
