import { useEffect, useState } from 'preact/hooks'
import { type Route, readRoute } from './route.ts'

/** The same place with other filters: no step of its own in the history. */
export function replaceRoute(hash: string): void {
  history.replaceState(null, '', hash)
  dispatchEvent(new HashChangeEvent('hashchange'))
}

/** The place that the address names, followed as it changes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const changed = () => setHash(location.hash)
    addEventListener('hashchange', changed)
    // An effect runs after the page was painted: what the address became before is told by nobody.
    changed()
    return () => removeEventListener('hashchange', changed)
  }, [])
  return readRoute(hash)
}
